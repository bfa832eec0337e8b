"""Threads and other kinds of channels: who sees them, and what an archived one takes."""

from __future__ import annotations

import discord
import pytest
from support.people import RefusedError
from support.sandbox_world import (
    add_channel,
    add_thread,
    archive_thread,
    change_thread_members,
    delete_channel,
    deny,
)

from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import ChannelKind


@pytest.fixture
async def bot(make_bot, start):
    bot = make_bot()
    await start(bot)
    return bot


@pytest.mark.parametrize(
    ("kind", "known_as"),
    [
        (ChannelKind.VOICE, discord.VoiceChannel),
        (ChannelKind.CATEGORY, discord.CategoryChannel),
        (ChannelKind.ANNOUNCEMENT, discord.TextChannel),
        (ChannelKind.STAGE, discord.StageChannel),
        (ChannelKind.FORUM, discord.ForumChannel),
        (ChannelKind.MEDIA, discord.ForumChannel),
    ],
)
async def test_a_channel_of_any_kind_is_known(sandbox, bot, ben, kind, known_as):
    made = add_channel(sandbox, "other", kind=kind)
    assert isinstance(await bot.until("guild_channel_create"), known_as)
    assert isinstance(await bot.fetch_channel(made.id), known_as)
    listed = await ben.request("GET", f"/guilds/{sandbox.guild_id}/channels")
    assert (str(made.id), int(kind)) in {(one["id"], one["type"]) for one in listed}


async def test_a_deleted_channel_takes_its_threads_along(sandbox, bot):
    channel = add_channel(sandbox, "short-lived")
    thread = add_thread(sandbox, "below", parent_id=channel.id)
    await bot.until("thread_create")
    delete_channel(sandbox, channel.id)
    assert (await bot.until("raw_thread_delete")).thread_id == thread.id
    assert (await bot.until("guild_channel_delete")).id == channel.id
    with pytest.raises(discord.NotFound, match="10003"):
        await bot.fetch_channel(thread.id)


async def test_a_private_thread_is_for_its_members_and_for_those_who_manage_threads(sandbox, bot, ada, ben):
    thread = add_thread(sandbox, "private", kind=ChannelKind.PRIVATE_THREAD, member_ids=[ben.id])
    await ben.say(thread.id, "psst")
    assert [one["content"] for one in await ada.messages(thread.id)] == ["psst"]
    with pytest.raises(discord.Forbidden, match="50001"):
        await bot.fetch_channel(thread.id)
    await ben.say(sandbox.channel_id, "aloud")
    assert (await bot.until("message")).content == "aloud"
    change_thread_members(sandbox, thread.id, added=[sandbox.bot_user_id])
    assert (await bot.until("thread_join")).id == thread.id
    await ben.say(thread.id, "now you hear it")
    assert (await bot.until("message", times=2)).content == "now you hear it"
    change_thread_members(sandbox, thread.id, removed=[sandbox.bot_user_id])
    assert (await bot.until("thread_remove")).id == thread.id


async def test_an_announcement_channel_has_threads_of_its_own(sandbox, bot, ben):
    channel = add_channel(sandbox, "news", kind=ChannelKind.ANNOUNCEMENT)
    said = await ben.say(channel.id, "news")
    path = f"/channels/{channel.id}/messages/{said['id']}/threads"
    assert (await ben.request("POST", path, {"name": "about it"}))["type"] == ChannelKind.ANNOUNCEMENT_THREAD
    assert (await bot.until("thread_create")).is_news()


async def test_a_forum_takes_posts(sandbox, bot, ben):
    forum = add_channel(sandbox, "forum", kind=ChannelKind.FORUM)
    known = await bot.until("guild_channel_create")
    made = await known.create_thread(name="a post", content="first")
    assert [one["content"] for one in await ben.messages(made.thread.id)] == ["first"]
    assert made.thread.parent_id == forum.id


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "x", "type": 0},
        {"name": "x", "auto_archive_duration": 61},
        {"name": "x", "rate_limit_per_user": 21_601},
        {"name": "x", "invitable": "yes"},
    ],
)
async def test_a_thread_of_the_wrong_shape_is_refused(sandbox, ben, body):
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("POST", f"/channels/{sandbox.channel_id}/threads", body)


async def test_an_archived_thread_takes_no_edits_and_no_reactions(sandbox, bot, ben):
    thread = add_thread(sandbox, "old")
    channel = await bot.until("thread_create")
    sent = await channel.send("one")
    await sent.add_reaction("👎")
    archive_thread(sandbox, thread.id)
    await bot.until("thread_update")
    for refused in (
        sent.edit(content="two"),
        sent.add_reaction("👍"),
        sent.remove_reaction("👎", bot.user),
        sent.clear_reactions(),
    ):
        with pytest.raises(discord.HTTPException) as failed:
            await refused
        assert (failed.value.status, failed.value.code) == (400, 50083)
    await sent.delete()


async def test_a_message_reopens_an_archived_thread(sandbox, bot):
    thread = add_thread(sandbox, "old")
    channel = await bot.until("thread_create")
    archive_thread(sandbox, thread.id)
    await bot.until("thread_update")
    sent = await channel.send("one")
    await bot.until("raw_thread_update", times=2)
    assert not (await bot.fetch_channel(thread.id)).archived
    await sent.edit(content="two")


async def test_a_locked_thread_is_reopened_only_by_those_who_manage_threads(sandbox, bot, ada):
    thread = add_thread(sandbox, "locked")
    channel = await bot.until("thread_create")
    archive_thread(sandbox, thread.id, is_locked=True)
    with pytest.raises(discord.HTTPException) as failed:
        await channel.send("x")
    assert (failed.value.status, failed.value.code) == (400, 160005)
    await ada.say(thread.id, "open again")
    assert not (await bot.fetch_channel(thread.id)).archived


async def test_threads_need_a_permission_of_their_own_to_write_in(sandbox, bot):
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.SEND_MESSAGES_IN_THREADS)
    add_thread(sandbox, "quiet")
    channel = await bot.until("thread_create")
    with pytest.raises(discord.Forbidden, match="50013"):
        await channel.send("x")
    await bot.get_channel(sandbox.channel_id).send("x")


async def test_archived_threads_are_not_listed_as_active(sandbox, bot, ben):
    kept, old = add_thread(sandbox, "kept"), add_thread(sandbox, "old")
    archive_thread(sandbox, old.id)
    listed = await ben.request("GET", f"/guilds/{sandbox.guild_id}/threads/active")
    assert [one["id"] for one in listed["threads"]] == [str(kept.id)]
