"""The gateway over the wire: logging in, resuming, intents, and trouble on purpose."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import discord
import pytest
from support.people import Person
from support.sandbox_faults import faults_of

from bot.sandbox.server import Sandbox


async def test_a_wrong_token_fails_to_log_in(make_bot, start):
    with pytest.raises(discord.LoginFailure):
        await start(make_bot(), token="wrong")


async def test_a_missing_intent_ends_the_client(make_bot, point_discord):
    async with Sandbox(message_content_allowed=False) as sandbox:
        point_discord(sandbox)
        async with make_bot() as bot:
            with pytest.raises(discord.PrivilegedIntentsRequired):
                await bot.start(sandbox.bot_token)


async def test_without_the_content_intent_only_own_business_is_readable(sandbox, make_bot, start, ben):
    bot = make_bot(intents=discord.Intents(guilds=True, messages=True))
    await start(bot)
    await ben.say(sandbox.channel_id, "not for the bot")
    await ben.say(sandbox.channel_id, f"<@{sandbox.bot_user_id}> hello")
    await ben.say(await ben.direct_channel_id(sandbox.bot_user_id), "direct")
    await bot.until("message", times=3)
    texts = [args[0].content for name, args in bot.heard if name == "message"]
    assert texts == ["", f"<@{sandbox.bot_user_id}> hello", "direct"]
    await ben.react((await ben.messages(sandbox.channel_id))[0], "👍")
    await ben.say(sandbox.channel_id, "sent after the reaction")
    await bot.until("message", times=4)
    assert bot.count("raw_reaction_add") == 0


async def test_what_happens_during_a_drop_is_replayed_once(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    await ben.say(sandbox.channel_id, "before")
    await bot.until("message")
    faults_of(sandbox).drop_gateway()
    for at in range(3):
        await ben.say(sandbox.channel_id, str(at))
    await bot.until("resumed")
    await ben.say(sandbox.channel_id, "after")
    await bot.until("message", times=5)
    texts = [args[0].content for name, args in bot.heard if name == "message"]
    assert texts == ["before", "0", "1", "2", "after"]
    assert bot.count("ready") == 1


async def test_reconnect_on_request_resumes(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).ask_to_reconnect()
    await bot.until("resumed")


async def test_an_invalid_session_identifies_again(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).invalidate_sessions()
    await bot.until("ready", times=2)
    assert bot.count("resumed") == 0


async def test_a_session_with_too_much_missed_identifies_again(
    sandbox, make_bot, start, ben, monkeypatch, caplog
):
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr("bot.sandbox.gateway.server.BUFFER_SIZE", 2)
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).go_down()
    for at in range(4):
        await ben.say(sandbox.channel_id, str(at))
    faults_of(sandbox).clear()
    await bot.until("ready", times=2, timeout_s=10)
    assert bot.count("message") == 0


async def test_unanswered_heartbeats_end_in_a_resume(make_bot, point_discord):
    async with Sandbox(heartbeat_interval_ms=100) as sandbox:
        point_discord(sandbox)
        bot = make_bot()
        bot._connection.heartbeat_timeout = 0.3
        task = asyncio.create_task(bot.start(sandbox.bot_token))
        await bot.until("ready")
        await asyncio.sleep(0.5)  # discord.py measures real time: a missing acknowledgement shows after 0.3 s
        assert bot.count("disconnect") == 0
        faults_of(sandbox).stop_heartbeat_acks()
        await bot.until("resumed", timeout_s=10)
        faults_of(sandbox).clear()
        await bot.close()
        await task


async def test_a_half_dead_connection_loses_nothing(make_bot, point_discord):
    async with Sandbox(heartbeat_interval_ms=100) as sandbox, Person(sandbox.url, "ben") as ben:
        point_discord(sandbox)
        bot = make_bot()
        bot._connection.heartbeat_timeout = 0.3
        task = asyncio.create_task(bot.start(sandbox.bot_token))
        await bot.until("ready")
        faults_of(sandbox).silence_gateway()
        await ben.say(sandbox.channel_id, "anybody there?")
        assert (await bot.until("message", timeout_s=10)).content == "anybody there?"
        await bot.close()
        await task


async def test_events_are_duplicated_lost_swapped_and_delayed(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).duplicate_next_event("MESSAGE_CREATE")
    await ben.say(sandbox.channel_id, "twice")
    faults_of(sandbox).lose_next_event("MESSAGE_CREATE")
    await ben.say(sandbox.channel_id, "lost")
    faults_of(sandbox).swap_next_events("MESSAGE_CREATE")
    await ben.say(sandbox.channel_id, "third")
    await ben.say(sandbox.channel_id, "second")
    faults_of(sandbox).delay_next_event("MESSAGE_CREATE", delay_s=0.1)
    await ben.say(sandbox.channel_id, "fifth")
    await ben.say(sandbox.channel_id, "fourth")
    await bot.until("message", times=6)
    texts = [args[0].content for name, args in bot.heard if name == "message"]
    assert texts == ["twice", "twice", "second", "third", "fourth", "fifth"]


async def test_a_malformed_event_ends_the_client(sandbox, make_bot, point_discord):
    point_discord(sandbox)
    async with make_bot() as bot:
        task = asyncio.create_task(bot.start(sandbox.bot_token))
        await bot.until("ready")
        faults_of(sandbox).send_event("MESSAGE_DELETE", {})
        with pytest.raises(KeyError):
            await asyncio.wait_for(task, 5)


async def test_an_outage_ends_in_a_resume(sandbox, make_bot, start, ben, caplog):
    caplog.set_level(logging.CRITICAL)
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).go_down()
    await ben.say(sandbox.channel_id, "while you were out")
    await bot.until("disconnect")
    assert bot.count("message") == 0
    faults_of(sandbox).clear()
    assert (await bot.until("message", timeout_s=10)).content == "while you were out"
    assert bot.count("resumed") == 1


async def test_people_see_the_bot_come_and_go(sandbox, make_bot, start, ben):
    ready = await ben.wait_for_event("READY")
    assert [one["status"] for one in ready["presences"]] == ["offline"]
    bot = make_bot()
    await start(bot)
    online = await ben.wait_for_event("PRESENCE_UPDATE")
    assert (online["user"]["id"], online["status"]) == (str(sandbox.bot_user_id), "online")
    async with Person(sandbox.url, "ada") as ada:
        ready = await ada.wait_for_event("READY")
        guild = await ada.wait_for_event("GUILD_CREATE")
    assert [one["status"] for one in ready["presences"]] == ["online"]
    assert [one["user"]["id"] for one in guild["presences"]] == [str(sandbox.bot_user_id)]
    await bot.close()
    await ben.wait_for_event("PRESENCE_UPDATE", predicate=lambda told: told["status"] == "offline")


async def test_one_person_may_have_several_connections(sandbox, ben):
    async with Person(sandbox.url, "ben") as other_tab:
        await ben.say(sandbox.channel_id, "hello")
        for tab in (ben, other_tab):
            assert (await tab.wait_for_message())["content"] == "hello"


async def test_a_person_resumes(sandbox, ben):
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(sandbox.gateway_url) as socket:
            await socket.receive_json()
            await socket.send_json({"op": 2, "d": {"token": "cleo"}})
            ready = await socket.receive_json()
            guild = await socket.receive_json()
            await socket.close(code=4000)
        await ben.say(sandbox.channel_id, "missed")
        async with http.ws_connect(sandbox.gateway_url) as socket:
            await socket.receive_json()
            resume = {"token": "cleo", "session_id": ready["d"]["session_id"], "seq": guild["s"]}
            await socket.send_json({"op": 6, "d": resume})
            assert (await socket.receive_json())["d"]["content"] == "missed"
            assert (await socket.receive_json())["t"] == "RESUMED"


async def test_who_leaves_for_good_cannot_resume(sandbox):
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(sandbox.gateway_url) as socket:
            await socket.receive_json()
            await socket.send_json({"op": 2, "d": {"token": "cleo"}})
            ready = await socket.receive_json()
            await socket.close(code=1000)
        async with http.ws_connect(sandbox.gateway_url) as socket:
            await socket.receive_json()
            resume = {"token": "cleo", "session_id": ready["d"]["session_id"], "seq": 1}
            await socket.send_json({"op": 6, "d": resume})
            assert (await socket.receive_json())["op"] == 9


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        ("no json", 4002),
        ("[1]", 4002),
        ('{"op": 99}', 4003),
        ('{"op": 2, "d": {"token": "nobody"}}', 4004),
        ('{"op": 2, "d": 1}', 4002),
        ('{"op": 2, "d": {"token": "ada", "intents": "x"}}', 4002),
        ('{"op": 2, "d": {"token": "\\ud83d"}}', 4004),
    ],
)
async def test_nonsense_closes_the_socket_with_its_code(sandbox, packet, code):
    async with aiohttp.ClientSession() as http, http.ws_connect(sandbox.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_str(packet)
        closed = await socket.receive()
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, code)


async def test_a_client_without_a_heartbeat_is_cut_off(monkeypatch):
    monkeypatch.setattr("bot.sandbox.gateway.server.MIN_TIMEOUT_S", 0.1)
    async with (
        Sandbox(heartbeat_interval_ms=50) as sandbox,
        aiohttp.ClientSession() as http,
        http.ws_connect(sandbox.gateway_url) as socket,
    ):
        assert (await socket.receive_json())["d"]["heartbeat_interval"] == 50
        closed = await socket.receive(timeout=5)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4009)


async def test_someone_elses_session_cannot_be_resumed(sandbox, ben):
    session_id = (await ben.wait_for_event("READY"))["session_id"]
    async with aiohttp.ClientSession() as http, http.ws_connect(sandbox.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 6, "d": {"token": "cleo", "session_id": session_id, "seq": 1}})
        assert (await socket.receive_json()) == {"op": 9, "d": False, "s": None, "t": None}


async def test_a_client_that_does_not_read_holds_nobody_up(sandbox, ben, monkeypatch):
    monkeypatch.setattr("bot.sandbox.gateway.sessions.MAX_WAITING_FRAMES", 10)
    async with Person(sandbox.url, "cleo") as stuck:
        stuck._socket._response.connection.transport.pause_reading()
        for at in range(30):
            await ben.say(sandbox.channel_id, str(at) + "x" * 1900)
        assert await ben.wait_for_message(lambda one: one["content"].startswith("29"))
        assert stuck.mark() < 30


async def test_members_are_sent_on_request(sandbox, make_bot, start):
    bot = make_bot(intents=discord.Intents(guilds=True, members=True))
    await start(bot)
    guild = bot.get_guild(sandbox.guild_id)
    assert {one.name for one in guild.members} == {"fillbot", "owner", "ada", "ben", "cleo"}
    assert [one.name for one in await guild.query_members("cl")] == ["cleo"]
