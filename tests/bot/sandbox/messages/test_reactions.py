"""Reactions over the wire: the four raw events, who may do what, and paging."""

from __future__ import annotations

import discord
import pytest
from support.people import Person, RefusedError

UP, DOWN = "👍", "👎"


async def test_raw_events_reach_the_bot(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    message = await ben.say(sandbox.channel_id, "rate me")
    await ben.react(message, UP)
    added = await bot.until("raw_reaction_add")
    assert (added.user_id, str(added.emoji), added.member.id) == (ben.id, UP, ben.id)
    await ben.unreact(message, UP)
    removed = await bot.until("raw_reaction_remove")
    assert (removed.user_id, removed.message_id) == (ben.id, int(message["id"]))
    await ben.react(message, UP)
    await ben.react(message, DOWN)
    await ada.clear_reactions(message, UP)
    assert str((await bot.until("raw_reaction_clear_emoji")).emoji) == UP
    await ada.clear_reactions(message)
    assert (await bot.until("raw_reaction_clear")).message_id == int(message["id"])
    assert (await ben.message(message))["reactions"] == []


async def test_giving_twice_and_taking_what_is_not_there_change_nothing(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    message = await ben.say(sandbox.channel_id, "rate me")
    for _ in range(2):
        await ben.react(message, UP)
    for _ in range(2):
        await ben.unreact(message, UP)
    await ben.react(message, DOWN)
    await bot.until("raw_reaction_add", times=2)
    assert (bot.count("raw_reaction_add"), bot.count("raw_reaction_remove")) == (2, 1)


async def test_me_depends_on_who_looks(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    sent = await bot.get_channel(sandbox.channel_id).send("seeded")
    await sent.add_reaction(UP)
    await ben.wait_for_event("MESSAGE_REACTION_ADD")
    seen = await ben.message({"channel_id": sandbox.channel_id, "id": sent.id})
    assert [(one["count"], one["me"]) for one in seen["reactions"]] == [(1, False)]
    fetched = await sent.channel.fetch_message(sent.id)
    assert [(one.count, one.me) for one in fetched.reactions] == [(1, True)]


async def test_voters_are_listed_page_by_page(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    message = await ben.say(sandbox.channel_id, "rate me")
    async with Person(sandbox.url, "cleo") as cleo:
        for person in (cleo, ada, ben):
            await person.react(message, UP)
    path = f"/channels/{sandbox.channel_id}/messages/{message['id']}/reactions/{UP}"
    first = await ben.request("GET", f"{path}?limit=2")
    rest = await ben.request("GET", f"{path}?limit=2&after={first[-1]['id']}")
    assert [one["username"] for one in first + rest] == ["ada", "ben", "cleo"]
    fetched = await bot.get_channel(sandbox.channel_id).fetch_message(int(message["id"]))
    assert {one.name async for one in fetched.reactions[0].users()} == {"ada", "ben", "cleo"}


async def test_only_a_manager_takes_the_reactions_of_others(sandbox, ada, ben):
    message = await ada.say(sandbox.channel_id, "rate me")
    await ada.react(message, UP)
    for forbidden in (
        ben.unreact(message, UP, user_id=ada.id),
        ben.clear_reactions(message, UP),
        ben.clear_reactions(message),
    ):
        with pytest.raises(RefusedError, match="50013"):
            await forbidden
    await ben.react(message, UP)
    await ada.unreact(message, UP, user_id=ben.id)
    assert (await ada.message(message))["reactions"][0]["count"] == 1


async def test_nobody_clears_reactions_in_direct_messages(sandbox, ben):
    channel_id = await ben.direct_channel_id(sandbox.bot_user_id)
    message = await ben.say(channel_id, "rate me")
    await ben.react(message, UP)
    with pytest.raises(RefusedError, match="50003"):
        await ben.clear_reactions(message)


@pytest.mark.parametrize("emoji", ["up", "name:123", "é", "x👍"])
async def test_what_is_no_emoji_is_refused(sandbox, ben, emoji):
    message = await ben.say(sandbox.channel_id, "rate me")
    with pytest.raises(RefusedError, match="10014"):
        await ben.react(message, emoji)


async def test_twenty_different_reactions_are_the_most(sandbox, ben):
    message = await ben.say(sandbox.channel_id, "rate me")
    for at in range(20):
        await ben.react(message, chr(0x1F600 + at))
    with pytest.raises(RefusedError, match="30010"):
        await ben.react(message, UP)
    await ben.react(message, chr(0x1F600))


async def test_a_super_reaction_counts_beside_the_normal_ones(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    message = await ben.say(sandbox.channel_id, "rate me")
    await ada.react(message, UP)
    await ben.react(message, UP)
    await ben.react(message, UP, is_super=True)
    added = await bot.until("raw_reaction_add", times=3)
    assert (added.burst, added.type) == (True, discord.ReactionType.burst)
    told = await ben.wait_for_event("MESSAGE_REACTION_ADD", predicate=lambda body: body["burst"])
    assert told["burst_colors"]
    shown = (await ben.message(message))["reactions"][0]
    assert (shown["count"], shown["count_details"]) == (3, {"burst": 1, "normal": 2})
    assert (shown["me"], shown["me_burst"]) == (True, True)
    reaction = (await bot.get_channel(sandbox.channel_id).fetch_message(int(message["id"]))).reactions[0]
    givers = [one.id async for one in reaction.users(type=discord.ReactionType.burst)]
    assert givers == [ben.id]


async def test_a_super_reaction_is_taken_back_alone(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    message = await ben.say(sandbox.channel_id, "rate me")
    await ben.react(message, UP)
    await ben.react(message, UP, is_super=True)
    await ben.unreact(message, UP, is_super=True)
    removed = await bot.until("raw_reaction_remove")
    assert (removed.burst, removed.type) == (True, discord.ReactionType.burst)
    shown = (await ben.message(message))["reactions"][0]
    assert (shown["count"], shown["me"], shown["me_burst"]) == (1, True, False)
    assert shown["burst_colors"] == []


@pytest.mark.nonsense
async def test_bots_give_no_super_reactions(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    message = await ben.say(sandbox.channel_id, "rate me")
    path = f"/channels/{sandbox.channel_id}/messages/{message['id']}/reactions/%F0%9F%91%8D/@me?type=1"
    with pytest.raises(discord.Forbidden, match="50013"):
        await bot.http.request(discord.http.Route("PUT", path))


async def test_a_reaction_of_no_known_type_is_refused(sandbox, ben):
    message = await ben.say(sandbox.channel_id, "rate me")
    path = f"/channels/{sandbox.channel_id}/messages/{message['id']}/reactions/{UP}"
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("GET", f"{path}?type=2")


async def test_an_emoji_of_another_skin_tone_is_another_one(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    message = await ben.say(sandbox.channel_id, "rate me")
    given = (UP, "👍🏻", "👍🏽", "👍🏿")
    for emoji in given:
        await ben.react(message, emoji)
    await ada.react(message, "👍🏽")
    await bot.until("raw_reaction_add", times=5)
    heard = [str(args[0].emoji) for name, args in bot.heard if name == "raw_reaction_add"]
    assert heard == [*given, "👍🏽"]
    fetched = await bot.get_channel(sandbox.channel_id).fetch_message(int(message["id"]))
    assert [(str(one.emoji), one.count) for one in fetched.reactions] == list(
        zip(given, (1, 1, 2, 1), strict=True)
    )
    await ben.unreact(message, "👍🏽")
    assert str((await bot.until("raw_reaction_remove")).emoji) == "👍🏽"
    givers = [one.id async for one in fetched.reactions[2].users()]
    assert givers == [ada.id]
