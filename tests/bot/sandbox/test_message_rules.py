"""What Discord refuses in a message: wrong types, sizes, addresses, numbers, and fields that do not agree."""

from __future__ import annotations

import io

import discord
import pytest
from support.people import RefusedError

from bot.sandbox.errors import ApiError, InvalidBodyError
from bot.sandbox.messages.payloads import Upload, read_payload

COMPONENTS_V2 = 1 << 15
SNOWFLAKE = "100000000000000001"


def embed(**changes) -> dict:
    return {"content": "x", "embeds": [{"title": "x", **changes}]}


def test_a_message_with_everything_is_taken():
    picture = {"url": "attachment://plot.png", "width": 3, "height": 2}
    read_payload(
        {
            "content": "x" * 2000,
            "tts": False,
            "nonce": "x" * 25,
            "enforce_nonce": True,
            "flags": 4,
            "sticker_ids": [],
            "embeds": [
                {
                    "type": "rich",
                    "url": "https://example.org/page?x=1",
                    "color": 0xFFFFFF,
                    "timestamp": "2026-08-01T12:00:00.123000+00:00",
                    "author": {"name": "a", "icon_url": "https://example.org/a.png"},
                    "footer": {"text": "f", "icon_url": "attachment://f.png"},
                    "image": picture,
                    "thumbnail": picture,
                    "fields": [{"name": "n", "value": "v", "inline": True}],
                }
            ],
            "allowed_mentions": {"parse": ["roles"], "users": [SNOWFLAKE], "replied_user": False},
            "message_reference": {"message_id": int(SNOWFLAKE), "type": 0, "fail_if_not_exists": False},
            "attachments": [{"id": 0, "filename": "plot.png", "description": "d" * 1024}],
        },
        {0: Upload("plot.png", "image/png", b""), 1: Upload("f.png", "image/png", b"")},
    )


def test_fields_that_are_null_are_taken():
    names = ("content", "embeds", "components", "flags", "nonce", "tts", "allowed_mentions", "attachments")
    read_payload(dict.fromkeys(names), {})


@pytest.mark.parametrize(
    "body",
    [
        {"tts": "no"},
        {"nonce": "x" * 26},
        {"nonce": 1.5},
        {"nonce": True},
        {"nonce": 1 << 63},
        {"enforce_nonce": 1},
        {"flags": "4"},
        {"flags": -1},
        {"flags": 1 << 40},
        {"content": ["x"]},
        {"embeds": {}},
        {"embeds": ""},
        {"components": {}},
        {"sticker_ids": "x"},
        {"sticker_ids": ["x"]},
        {"sticker_ids": [SNOWFLAKE] * 4},
        {"attachments": [{"filename": "without-an-id.txt"}]},
        {"attachments": [{"id": 0, "filename": 1}]},
        {"attachments": [{"id": 0, "description": "x" * 1025}]},
        {"attachments": [{"id": at} for at in range(11)]},
        {"allowed_mentions": []},
        {"allowed_mentions": {"parse": "users"}},
        {"allowed_mentions": {"parse": ["people"]}},
        {"allowed_mentions": {"parse": ["users", "users"]}},
        {"allowed_mentions": {"parse": ["users"], "users": [SNOWFLAKE]}},
        {"allowed_mentions": {"users": [str(at) for at in range(1, 102)]}},
        {"allowed_mentions": {"roles": ["x"]}},
        {"allowed_mentions": {"replied_user": "yes"}},
        {"message_reference": {}},
        {"message_reference": {"message_id": True}},
        {"message_reference": {"message_id": SNOWFLAKE, "type": 7}},
        {"message_reference": {"message_id": SNOWFLAKE, "channel_id": "x"}},
        {"message_reference": {"message_id": SNOWFLAKE, "fail_if_not_exists": "no"}},
        {"poll": {"question": {"text": "x" * 301}, "answers": [{"poll_media": {"text": "a"}}]}},
        {"poll": {"question": {"text": "x"}, "answers": []}},
        embed(title=1),
        embed(type=1),
        embed(url="example.org"),
        embed(url="ftp://example.org"),
        embed(url="attachment://x.png"),
        embed(url="https://example.org/" + "x" * 2048),
        embed(color=-1),
        embed(color=0x1000000),
        embed(color="red"),
        embed(color=1.5),
        embed(color=True),
        embed(timestamp="yesterday"),
        embed(timestamp=1_700_000_000),
        embed(author={"url": "https://example.org"}),
        embed(author={"name": "x" * 257}),
        embed(author={"name": "x", "icon_url": "javascript://x"}),
        embed(footer={"icon_url": "https://example.org"}),
        embed(footer="x"),
        embed(image={}),
        embed(image={"url": "plot.png"}),
        embed(thumbnail={"url": "data:image/png;base64,AA=="}),
        embed(fields=[{"name": "n"}]),
        embed(fields=[{"name": "n", "value": "v", "inline": "yes"}]),
        {"embeds": [{}]},
        {"embeds": [{"color": 5}]},
    ],
)
def test_a_message_of_the_wrong_shape_is_refused(body):
    with pytest.raises(InvalidBodyError):
        read_payload({"content": "x", **body}, {})


def test_a_sticker_that_does_not_exist_is_refused():
    with pytest.raises(ApiError) as refused:
        read_payload({"content": "x", "sticker_ids": [SNOWFLAKE]}, {})
    assert refused.value.code == 10060


@pytest.mark.parametrize("key", ["channel_id", "guild_id"])
async def test_a_reply_to_another_channel_is_refused(sandbox, ben, key):
    said = await ben.say(sandbox.channel_id, "hello")
    body = {"content": "x", "message_reference": {"message_id": said["id"], key: SNOWFLAKE}}
    with pytest.raises(RefusedError, match="REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL"):
        await ben.request("POST", f"/channels/{sandbox.channel_id}/messages", body)


async def test_an_edit_of_the_wrong_shape_is_refused(sandbox, ben):
    said = await ben.say(sandbox.channel_id, "hello")
    path = f"/channels/{sandbox.channel_id}/messages/{said['id']}"
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("PATCH", path, {"content": "x", "allowed_mentions": {"parse": ["people"]}})


@pytest.mark.parametrize("part", ["image", "thumbnail"])
def test_a_picture_that_is_not_sent_along_is_refused(part):
    body = embed(**{part: {"url": "attachment://plot.png"}})
    with pytest.raises(InvalidBodyError) as refused:
        read_payload(body, {0: Upload("other.png", "image/png", b"")})
    assert refused.value.path == f"embeds.0.{part}.url"
    assert refused.value.field_code == "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"


@pytest.mark.parametrize(
    "component",
    [
        {"type": 13, "file": {"url": "attachment://x.txt"}},
        {"type": 12, "items": [{"media": {"url": "attachment://x.txt"}}]},
    ],
)
def test_a_component_that_shows_a_file_needs_it(component):
    body = {"flags": COMPONENTS_V2, "components": [component]}
    read_payload(body, {0: Upload("x.txt", "text/plain", b"")})
    with pytest.raises(InvalidBodyError, match="Invalid Form Body") as refused:
        read_payload(body, {})
    assert refused.value.field_code == "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"


def test_an_attachment_without_its_file_is_refused():
    with pytest.raises(InvalidBodyError) as refused:
        read_payload({"content": "x", "attachments": [{"id": 0, "filename": "x.txt"}]}, {})
    assert (refused.value.path, refused.value.field_code) == ("attachments.0", "ATTACHMENT_NOT_FOUND")


@pytest.mark.nonsense
async def test_an_edit_may_show_a_file_that_the_message_keeps(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    file = discord.File(io.BytesIO(b"x"), "plot.png")
    sent = await bot.get_channel(sandbox.channel_id).send("x", file=file)
    shown = discord.Embed().set_image(url="attachment://plot.png")
    edited = await sent.edit(embed=shown)
    assert edited.embeds[0].image.url.endswith("/plot.png")
    with pytest.raises(discord.HTTPException, match="was not found in the message") as refused:
        await sent.edit(embed=shown, attachments=[])
    assert refused.value.code == 50035


@pytest.mark.nonsense
async def test_an_edit_cannot_take_the_flag_of_components_away(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    layout = discord.ui.LayoutView().add_item(discord.ui.TextDisplay("x"))
    sent = await bot.get_channel(sandbox.channel_id).send(view=layout)
    path = "/channels/{channel_id}/messages/{message_id}"
    route = discord.http.Route("PATCH", path, channel_id=sent.channel.id, message_id=sent.id)
    with pytest.raises(discord.HTTPException, match="cannot be removed from a message") as refused:
        await bot.http.request(route, json={"flags": 0})
    assert refused.value.code == 50035


async def test_an_id_twice_in_a_bulk_deletion_is_refused(sandbox, ada, ben):
    ids = [(await ben.say(sandbox.channel_id, text))["id"] for text in ("one", "two")]
    body = {"messages": [*ids, int(ids[0])]}
    with pytest.raises(RefusedError, match="SET_TYPE_ALREADY_CONTAINS_VALUE"):
        await ada.request("POST", f"/channels/{sandbox.channel_id}/messages/bulk-delete", body)
