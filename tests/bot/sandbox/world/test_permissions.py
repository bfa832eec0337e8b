"""What the bot may not do without a permission, with the status and code that Discord answers."""

from __future__ import annotations

import io

import discord
import pytest
from support.sandbox_world import add_channel, deny

from bot.sandbox.world.permissions import Permission
from bot.sandbox.world.state import ChannelKind


@pytest.fixture
async def bot(make_bot, start):
    bot = make_bot()
    await start(bot)
    return bot


@pytest.fixture
async def asked(sandbox, ben):
    return int((await ben.say(sandbox.channel_id, "hello"))["id"])


@pytest.fixture
def channel(sandbox, bot):
    return bot.get_channel(sandbox.channel_id)


def refusal_of(raised) -> tuple[int, int]:
    return raised.value.status, raised.value.code


async def test_a_reply_needs_the_history(sandbox, channel, asked):
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.READ_MESSAGE_HISTORY)
    with pytest.raises(discord.HTTPException) as refused:
        await channel.send("x", reference=channel.get_partial_message(asked))
    assert refusal_of(refused) == (400, 160002)
    assert (await channel.send("without a reference")).reference is None


@pytest.mark.parametrize(
    ("permission", "message"),
    [
        (Permission.SEND_MESSAGES, {"content": "x"}),
        (Permission.EMBED_LINKS, {"embed": discord.Embed(title="x")}),
        (Permission.ATTACH_FILES, {"content": "x"}),
    ],
)
async def test_what_a_message_holds_needs_its_permission(sandbox, channel, permission, message):
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, permission)
    files = [discord.File(io.BytesIO(b"x"), "x.txt")] if permission == Permission.ATTACH_FILES else []
    with pytest.raises(discord.Forbidden) as refused:
        await channel.send(**message, files=files)
    assert refusal_of(refused) == (403, 50013)


async def test_an_edit_adds_no_embed_without_its_permission(sandbox, channel):
    sent = await channel.send("x")
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.EMBED_LINKS)
    with pytest.raises(discord.Forbidden) as refused:
        await sent.edit(embed=discord.Embed(title="x"))
    assert refusal_of(refused) == (403, 50013)
    assert (await sent.edit(content="y")).content == "y"


async def test_without_the_history_there_is_no_history(sandbox, channel, asked):
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.READ_MESSAGE_HISTORY)
    assert [one async for one in channel.history()] == []
    with pytest.raises(discord.Forbidden) as refused:
        await channel.fetch_message(asked)
    assert refusal_of(refused) == (403, 50013)


async def test_a_reaction_needs_the_history(sandbox, channel, ben, asked):
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.READ_MESSAGE_HISTORY)
    with pytest.raises(discord.Forbidden) as refused:
        await channel.get_partial_message(asked).add_reaction("👍")
    assert refusal_of(refused) == (403, 50013)


async def test_only_the_first_of_an_emoji_needs_the_permission_to_add_it(sandbox, channel, ben, asked):
    message = channel.get_partial_message(asked)
    deny(sandbox, sandbox.channel_id, sandbox.bot_user_id, Permission.ADD_REACTIONS)
    with pytest.raises(discord.Forbidden) as refused:
        await message.add_reaction("👍")
    assert refusal_of(refused) == (403, 50013)
    await ben.react({"id": str(asked), "channel_id": str(channel.id)}, "👍")
    await message.add_reaction("👍")


@pytest.mark.parametrize("kind", [ChannelKind.VOICE, ChannelKind.STAGE])
async def test_the_text_of_a_voice_channel_needs_connect(sandbox, bot, ben, kind):
    voice = add_channel(sandbox, "voice", kind=kind)
    channel = await bot.until("guild_channel_create")
    sent = await channel.send("one")
    deny(sandbox, voice.id, sandbox.bot_user_id, Permission.CONNECT)
    for refused in (channel.send("two"), sent.edit(content="two"), sent.add_reaction("👍")):
        with pytest.raises(discord.Forbidden) as forbidden:
            await refused
        assert refusal_of(forbidden) == (403, 50001)
    await ben.say(voice.id, "not for the bot")
    await ben.say(sandbox.channel_id, "for the bot")
    await bot.until("message", times=2)
    assert [args[0].content for name, args in bot.heard if name == "message"] == [
        "one",
        "for the bot",
    ]


@pytest.mark.parametrize("kind", [ChannelKind.CATEGORY, ChannelKind.FORUM, ChannelKind.MEDIA])
async def test_a_channel_without_messages_takes_none(sandbox, bot, kind):
    place = bot.get_partial_messageable(add_channel(sandbox, "no-text", kind=kind).id)
    for refused in (place.send("x"), place.typing().__aenter__()):
        with pytest.raises(discord.HTTPException) as failed:
            await refused
        assert refusal_of(failed) == (400, 50008)
