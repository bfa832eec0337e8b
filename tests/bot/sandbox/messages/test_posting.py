"""Messages over the wire: the real client and people post, edit, delete, attach, and write directly."""

from __future__ import annotations

import io

import aiohttp
import discord
import pytest
from support.people import RefusedError
from support.sandbox_world import add_channel, add_guild, add_person

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + (3).to_bytes(4) + (2).to_bytes(4) + b"rest"


async def test_prefix_command_is_answered(sandbox, make_bot, start, ben):
    bot = make_bot()

    @bot.command()
    async def ping(ctx):
        await ctx.reply("pong", embed=discord.Embed(title="A title"))

    await start(bot)
    asked = await ben.say(sandbox.channel_id, "!ping")
    reply = await ben.wait_for_message(lambda message: message["content"] == "pong")
    assert reply["author"]["id"] == str(sandbox.bot_user_id)
    assert reply["embeds"][0]["title"] == "A title"
    assert reply["message_reference"]["message_id"] == asked["id"]
    assert reply["referenced_message"]["content"] == "!ping"
    assert [one["content"] for one in await ben.messages(sandbox.channel_id)] == ["pong", "!ping"]


async def test_the_bot_knows_who_is_admin(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    await ada.say(sandbox.channel_id, "from ada")
    await ben.say(sandbox.channel_id, "from ben")
    await bot.until("message", times=2)
    authors = [args[0].author for name, args in bot.heard if name == "message"]
    assert [author.guild_permissions.manage_guild for author in authors] == [True, False]
    assert [author.get_role(sandbox.admin_role_id) is not None for author in authors] == [True, False]
    assert (await bot.application_info()).owner.id == sandbox.owner_id


async def test_edits_reach_people_and_keep_what_they_do_not_name(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    sent = await bot.get_channel(sandbox.channel_id).send("one", embed=discord.Embed(title="kept"))
    await sent.edit(content="two")
    edited = await ben.wait_for_event("MESSAGE_UPDATE")
    assert edited["content"] == "two"
    assert edited["embeds"][0]["title"] == "kept"
    assert edited["edited_timestamp"] is not None


async def test_history_is_paged_newest_first(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    for at in range(5):
        await ben.say(sandbox.channel_id, str(at))
    channel = bot.get_channel(sandbox.channel_id)
    assert [one.content async for one in channel.history(limit=3)] == ["4", "3", "2"]
    middle = [one async for one in channel.history()][2]
    assert [one.content async for one in channel.history(before=middle)] == ["1", "0"]
    assert [one.content async for one in channel.history(after=middle)] == ["3", "4"]
    assert {one.content async for one in channel.history(around=middle, limit=3)} == {"1", "2", "3"}
    assert (await channel.fetch_message(middle.id)).content == "2"


async def test_deleted_messages_are_told_and_gone(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    posted = [await ben.say(sandbox.channel_id, text) for text in "abc"]
    await ben.delete(posted[0])
    assert (await bot.until("raw_message_delete")).message_id == int(posted[0]["id"])
    ids = [posted[1]["id"], posted[2]["id"]]
    path = f"/channels/{sandbox.channel_id}/messages/bulk-delete"
    with pytest.raises(RefusedError, match="50013"):
        await ben.request("POST", path, {"messages": ids})
    await ada.request("POST", path, {"messages": ids})
    assert (await bot.until("raw_bulk_message_delete")).message_ids == {int(one) for one in ids}
    with pytest.raises(discord.NotFound) as unknown:
        await bot.get_channel(sandbox.channel_id).fetch_message(int(ids[0]))
    assert unknown.value.code == 10008


async def test_files_are_stored_and_served(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    embed = discord.Embed().set_image(url="attachment://plot.png")
    files = [discord.File(io.BytesIO(PNG), "plot.png"), discord.File(io.BytesIO(b"<script>"), "a b.html")]
    sent = await bot.get_channel(sandbox.channel_id).send(embed=embed, files=files)
    message = await ben.wait_for_message()
    assert [one["filename"] for one in message["attachments"]] == ["a b.html"]
    image = message["embeds"][0]["image"]
    assert (image["width"], image["height"]) == (3, 2)
    assert await sent.attachments[0].read() == b"<script>"
    async with aiohttp.ClientSession() as http, http.get(image["url"]) as response:
        assert await response.read() == PNG
        assert response.headers["Content-Type"] == "image/png"
    async with aiohttp.ClientSession() as http, http.get(sent.attachments[0].url) as response:
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in response.headers["Content-Security-Policy"]


async def test_an_edit_may_drop_and_add_files(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    sent = await bot.get_channel(sandbox.channel_id).send(
        files=[discord.File(io.BytesIO(b"1"), "1.txt"), discord.File(io.BytesIO(b"2"), "2.txt")]
    )
    edited = await sent.edit(attachments=[sent.attachments[1], discord.File(io.BytesIO(b"3"), "3.txt")])
    assert [one.filename for one in edited.attachments] == ["2.txt", "3.txt"]


async def test_direct_messages_go_both_ways_and_to_nobody_else(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    channel_id = await ben.direct_channel_id(sandbox.bot_user_id)
    await ben.say(channel_id, "psst")
    message = await bot.until("message")
    assert message.guild is None
    assert message.author.id == ben.id
    await message.channel.send("yes?")
    heard = await ben.wait_for_message(lambda one: one["content"] == "yes?")
    assert "guild_id" not in heard
    with pytest.raises(RefusedError, match="50001"):
        await ada.messages(channel_id)
    assert all(name != "MESSAGE_CREATE" for name, _ in ada.events)
    user = await bot.fetch_user(ben.id)
    assert (await user.send("again")).channel.id == channel_id


async def test_allowed_mentions_are_honoured(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    channel = bot.get_channel(sandbox.channel_id)
    text = f"<@{ben.id}> @everyone"
    loud = await channel.send(text)
    quiet = await channel.send(text, allowed_mentions=discord.AllowedMentions.none())
    assert [one.id for one in loud.mentions] == [ben.id]
    assert loud.mention_everyone
    assert quiet.mentions == []
    assert not quiet.mention_everyone


async def test_an_enforced_nonce_makes_no_second_message(sandbox, ben):
    body = {"content": "once", "nonce": "n1", "enforce_nonce": True}
    path = f"/channels/{sandbox.channel_id}/messages"
    first, second = [await ben.request("POST", path, body) for _ in range(2)]
    assert first["id"] == second["id"]
    assert len(await ben.messages(sandbox.channel_id)) == 1


async def test_typing_is_shown(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    async with bot.get_channel(sandbox.channel_id).typing():
        told = await ben.wait_for_event("TYPING_START")
    assert told["user_id"] == str(sandbox.bot_user_id)


async def test_threads_carry_messages_both_ways(sandbox, make_bot, start, ben):
    bot = make_bot()

    @bot.command()
    async def ping(ctx):
        await ctx.send("pong")

    await start(bot)
    asked = await ben.say(sandbox.channel_id, "hello")
    path = f"/channels/{sandbox.channel_id}/messages/{asked['id']}/threads"
    thread = await ben.request("POST", path, {"name": "a thread"})
    assert (await bot.until("thread_create")).name == "a thread"
    await ben.say(int(thread["id"]), "!ping")
    pong = await ben.wait_for_message(lambda one: one["content"] == "pong")
    assert pong["channel_id"] == thread["id"]
    with pytest.raises(RefusedError, match="160004"):
        await ben.request("POST", path, {"name": "another"})


async def test_a_thread_needs_no_message(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    channel = bot.get_channel(sandbox.channel_id)
    thread = await channel.create_thread(name="from the bot", type=discord.ChannelType.public_thread)
    created = await ben.wait_for_event("THREAD_CREATE")
    assert (created["id"], created["parent_id"]) == (str(thread.id), str(sandbox.channel_id))
    listed = await ben.request("GET", f"/guilds/{sandbox.guild_id}/threads/active")
    assert [one["name"] for one in listed["threads"]] == ["from the bot"]
    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.start_thread_without_message(
            thread.id, name="x", auto_archive_duration=60, type=11, invitable=True
        )
    assert refused.value.code == 50024


async def test_direct_channels_are_listed_and_opened_once(sandbox, ada, ben):
    channel_id = await ben.direct_channel_id(ada.id)
    assert await ada.direct_channel_id(ben.id) == channel_id
    assert [one["id"] for one in await ada.request("GET", "/users/@me/channels")] == [str(channel_id)]
    assert (await ada.wait_for_event("CHANNEL_CREATE"))["recipients"][0]["username"] == "ben"
    with pytest.raises(RefusedError, match="10013"):
        await ben.direct_channel_id(ben.id)


async def test_a_webhook_posts_as_a_bot(sandbox, make_bot, start, ada):
    bot = make_bot()
    await start(bot)
    hook = await ada.request("POST", f"/channels/{sandbox.channel_id}/webhooks", {"name": "news"})
    await ada.request("POST", f"/webhooks/{hook['id']}/{hook['token']}", {"content": "hi"})
    message = await bot.until("message")
    assert message.webhook_id == int(hook["id"])
    assert message.author.bot
    with pytest.raises(RefusedError, match="50027"):
        await ada.request("POST", f"/webhooks/{hook['id']}/wrong", {"content": "hi"})


async def test_a_private_channel_is_for_its_members_only(sandbox, make_bot, start, ada, ben):
    bot = make_bot()
    await start(bot)
    secret = add_channel(sandbox, "secret", only_for=[ada.id, sandbox.bot_user_id])
    await bot.until("guild_channel_create")
    await ada.say(secret.id, "between us")
    await bot.until("message")
    with pytest.raises(RefusedError, match="50001"):
        await ben.messages(secret.id)
    assert all(body.get("channel_id") != str(secret.id) for _, body in ben.events)


async def test_the_bot_hears_of_a_second_guild(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    dan = add_person(sandbox, "dan")
    guild = add_guild(sandbox, "Elsewhere", member_ids=[dan.id, sandbox.bot_user_id])
    await bot.until("guild_join")
    channel = add_channel(sandbox, "general", guild_id=guild.id)
    await bot.until("guild_channel_create")
    assert bot.get_channel(channel.id).guild.owner_id == dan.id
