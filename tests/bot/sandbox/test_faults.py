"""Requests that are refused, slow or lost on purpose, and what discord.py makes of them."""

from __future__ import annotations

import time

import aiohttp
import discord
import pytest
from support.sandbox_faults import faults_of


async def test_a_rate_limit_is_waited_out(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).rate_limit("PUT", r"/reactions/", retry_after_s=0.2)
    sent = await bot.get_channel(sandbox.channel_id).send("rate me")
    began = time.monotonic()
    await sent.add_reaction("👍")
    assert time.monotonic() - began >= 0.2
    assert (await ben.message({"channel_id": sandbox.channel_id, "id": sent.id}))["reactions"][0][
        "count"
    ] == 1


async def test_a_global_rate_limit_is_waited_out(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).rate_limit("POST", r"/messages$", is_global=True, retry_after_s=0.1, times=2)
    assert (await bot.get_channel(sandbox.channel_id).send("late")).content == "late"


async def test_a_failure_that_was_done_all_the_same_makes_no_second_message(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    faults_of(sandbox).fail("POST", r"/messages$", is_done_first=True)
    await bot.get_channel(sandbox.channel_id).send("once")  # tried again after a second, with the same nonce
    assert [one["content"] for one in await ben.messages(sandbox.channel_id)] == ["once"]


async def test_faults_leave_people_alone_and_are_used_up(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    channel = bot.get_channel(sandbox.channel_id)
    faults_of(sandbox).fail("*", "/messages", status=503)
    await ben.say(sandbox.channel_id, "hello")
    with pytest.raises(discord.DiscordServerError):
        await channel.send("x")
    await channel.send("y")
    faults_of(sandbox).delay("POST", "/messages", delay_s=0.15)
    began = time.monotonic()
    await channel.send("z")
    assert time.monotonic() - began >= 0.15
    faults_of(sandbox).cut("POST", "/messages", times=None)
    with pytest.raises((OSError, aiohttp.ClientError)):
        await channel.send("cut")
    faults_of(sandbox).clear()
    await channel.send("whole")
