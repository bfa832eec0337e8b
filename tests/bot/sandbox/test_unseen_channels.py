"""Channels that the bot cannot see: its token is refused there, an interaction's token is not."""

from __future__ import annotations

import asyncio

import discord
import pytest
from support.people import Person, RefusedError
from support.sandbox_world import add_channel, add_guild, add_person, allow, deny

from bot.sandbox.world.permissions import Permission


@pytest.fixture
async def bot(make_bot, start):
    bot = make_bot()
    bot.last = asyncio.get_running_loop().create_future()

    @bot.tree.command(description="Answers, later on with the token")
    async def ask(interaction: discord.Interaction):
        await interaction.response.send_message("one")
        bot.last.set_result(interaction)

    async def setup_hook():
        await bot.tree.sync()

    bot.setup_hook = setup_hook
    await start(bot)
    return bot


@pytest.fixture
def hidden(sandbox, ben):
    return add_channel(sandbox, "hidden", only_for=[ben.id])


async def test_a_command_arrives_and_says_what_the_bot_may_do_there(sandbox, bot, ben, hidden):
    await ben.slash(hidden.id, "ask")
    interaction = await bot.last
    assert not interaction.app_permissions.view_channel
    assert interaction.channel.id == hidden.id
    assert (await ben.wait_for_message())["content"] == "one"


async def test_the_token_of_the_interaction_reads_edits_deletes_and_follows_up(sandbox, bot, ben, hidden):
    await ben.slash(hidden.id, "ask")
    interaction = await bot.last
    await interaction.edit_original_response(content="two")
    assert (await interaction.original_response()).content == "two"
    extra = await interaction.followup.send("three", wait=True)
    await extra.edit(content="four")
    await interaction.delete_original_response()
    assert [one["content"] for one in await ben.messages(hidden.id)] == ["four"]


async def test_the_token_of_the_bot_is_refused(sandbox, bot, ben, hidden):
    await ben.slash(hidden.id, "ask")
    message = await (await bot.last).original_response()
    channel = bot.get_partial_messageable(hidden.id)
    partial = channel.get_partial_message(message.id)
    for refused in (
        channel.send("x"),
        partial.edit(content="x"),
        partial.add_reaction("👍"),
        partial.fetch(),
        bot.fetch_channel(hidden.id),
    ):
        with pytest.raises(discord.Forbidden) as forbidden:
            await refused
        assert forbidden.value.code == 50001
    with pytest.raises(discord.Forbidden):
        [one async for one in channel.history()]


async def test_the_bot_does_not_hear_of_its_own_reply(sandbox, bot, ben, hidden):
    await ben.slash(hidden.id, "ask")
    await bot.last
    await ben.say(sandbox.channel_id, "after it")
    assert (await bot.until("message")).content == "after it"


async def test_a_person_who_does_not_see_the_channel_calls_nothing_there(sandbox, bot, hidden, ada):
    with pytest.raises(RefusedError, match="50001"):
        await ada.slash(hidden.id, "ask")


async def test_no_command_where_the_bot_is_no_member(sandbox, bot):
    dan = add_person(sandbox, "dan")
    guild = add_guild(sandbox, "Elsewhere", member_ids=[dan.id])
    channel = add_channel(sandbox, "general", guild_id=guild.id)
    async with Person(sandbox.url, "dan") as person:
        with pytest.raises(RefusedError, match="10002"):
            await person.slash(channel.id, "ask")


async def test_the_bot_is_told_of_channels_it_cannot_see_but_not_of_what_is_said(sandbox, bot, ben, hidden):
    known = await bot.until("guild_channel_create")
    assert known.id == hidden.id
    assert not known.permissions_for(known.guild.me).view_channel
    listed = await known.guild.fetch_channels()
    assert hidden.id in {one.id for one in listed}


async def test_a_channel_is_hidden_while_the_bot_runs(sandbox, bot, ben):
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.VIEW_CHANNEL)
    changed = await bot.until("guild_channel_update")
    assert changed.id == sandbox.channel_id
    with pytest.raises(discord.Forbidden, match="50001"):
        await bot.get_channel(sandbox.channel_id).send("x")
    allow(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.VIEW_CHANNEL)
    await bot.until("guild_channel_update", times=2)
    await bot.get_channel(sandbox.channel_id).send("x")
