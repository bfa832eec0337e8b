"""What the REST API refuses: what is not there, what others own, and what is over Discord's limits."""

from __future__ import annotations

import discord
import pytest
from support.people import Person, RefusedError
from support.sandbox_world import add_person


async def test_nobody_changes_what_another_wrote(sandbox, ada, ben):
    message = await ada.say(sandbox.channel_id, "mine")
    path = f"/channels/{sandbox.channel_id}/messages/{message['id']}"
    with pytest.raises(RefusedError, match="50005"):
        await ben.request("PATCH", path, {"content": "yours"})
    with pytest.raises(RefusedError, match="50013"):
        await ben.delete(message)
    await ada.request("PATCH", path, {"content": "still mine"})
    foreign = await ben.say(sandbox.channel_id, "ben's")
    with pytest.raises(RefusedError, match="50005"):
        await ada.request(
            "PATCH", f"/channels/{sandbox.channel_id}/messages/{foreign['id']}", {"content": "x"}
        )
    await ada.delete(foreign)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/channels/1", 10003),
        ("GET", "/channels/{channel}/messages/1", 10008),
        ("GET", "/channels/x", 50035),
        ("GET", "/channels/{channel}/messages?limit=101", 50035),
        ("GET", "/guilds/1", 10004),
        ("GET", "/guilds/{guild}/members/1", 10007),
        ("GET", "/users/1", 10013),
        ("GET", "/oauth2/applications/@me", 10002),
        ("GET", "/nothing", 0),
        ("PUT", "/users/@me", 0),
        ("POST", "/webhooks/1/x", 10015),
    ],
)
async def test_what_does_not_exist_is_refused_as_discord_does(sandbox, ben, method, path, code):
    with pytest.raises(RefusedError) as refused:
        await ben.request(method, path.format(channel=sandbox.channel_id, guild=sandbox.guild_id))
    assert refused.value.code == code
    assert set(refused.value.body) >= {"message", "code"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
async def test_a_body_that_is_no_object_is_refused(sandbox, ben, body):
    with pytest.raises(RefusedError) as refused:
        await ben.request("POST", f"/channels/{sandbox.channel_id}/messages", data=body)
    assert refused.value.code in (50035, 50109)


async def test_what_the_guild_shows_its_members(sandbox, ben):
    guild = f"/guilds/{sandbox.guild_id}"
    assert (await ben.request("GET", guild))["name"] == "Sportswear team"
    assert [one["name"] for one in await ben.request("GET", f"{guild}/channels")] == ["support", "reports"]
    roles = {one["id"]: one["name"] for one in await ben.request("GET", f"{guild}/roles")}
    assert roles[str(sandbox.admin_role_id)] == "Admin"
    ada = await ben.request("GET", f"{guild}/members/{sandbox.people['ada'].id}")
    assert ada["roles"] == [str(sandbox.admin_role_id)]
    members = await ben.request("GET", f"{guild}/members?limit=10")
    assert [one["user"]["username"] for one in members] == ["fillbot", "owner", "ada", "ben", "cleo"]
    assert [one["name"] for one in await ben.request("GET", "/users/@me/guilds")] == ["Sportswear team"]
    assert (await ben.request("GET", f"/users/{sandbox.bot_user_id}"))["bot"]
    assert (await ben.request("GET", "/gateway"))["url"] == sandbox.gateway_url


def menu(count: int = 2, **changes) -> dict:
    """Return a row with a menu of so many choices."""
    choices = [{"label": str(at), "value": str(at)} for at in range(count)]
    return {"type": 1, "components": [{"type": 3, "custom_id": "menu", "options": choices, **changes}]}


def button(custom_id: str) -> dict:
    return {"type": 2, "style": 1, "label": "x", "custom_id": custom_id}


@pytest.mark.nonsense
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"content": 5}, "content"),
        ({"embeds": [{"title": "x" * 257}]}, "title"),
        ({"embeds": [{"description": "x" * 4097}]}, "description"),
        ({"embeds": [{"footer": {"text": "x" * 2049}}]}, "footer"),
        ({"embeds": [{"fields": [{"name": "a", "value": "b"}] * 26}]}, "fields"),
        ({"embeds": [{"fields": [{"name": "a", "value": ""}]}]}, "value"),
        ({"embeds": [{"fields": [{"name": "a", "value": "x" * 1025}]}]}, "value"),
        ({"embeds": [{"description": "x" * 3001}] * 2}, "maximum size"),
        ({"embeds": [{"title": "x"}] * 11}, "embeds"),
        ({"content": "x", "components": [menu()] * 6}, "components"),
        ({"content": "x", "components": [menu(26)]}, "options"),
        ({"content": "x", "components": [menu(0)]}, "options"),
        ({"content": "x", "components": [menu(custom_id="x" * 101)]}, "custom_id"),
        ({"content": "x", "components": [menu(custom_id="")]}, "custom_id"),
        ({"content": "x", "components": [menu(max_values=3)]}, "max_values"),
        ({"content": "x", "components": [menu(options=[{"label": "a", "value": "a"}] * 2)]}, "already used"),
        ({"content": "x", "components": [menu(), menu()]}, "duplicated"),
        ({"content": "x", "components": [{"type": 1, "components": []}]}, "components"),
        ({"content": "x", "components": [button("bare")]}, "type"),
        (
            {"content": "x", "components": [{"type": 1, "components": [button(c) for c in "abcdef"]}]},
            "components",
        ),
        ({"content": "x", "message_reference": {"message_id": "1"}}, "Unknown message"),
    ],
)
async def test_what_is_over_a_limit_is_refused(sandbox, make_bot, start, body, field):
    bot = make_bot()
    await start(bot)
    with pytest.raises(discord.HTTPException) as refused:
        await bot.http.request(
            discord.http.Route("POST", "/channels/{channel_id}/messages", channel_id=sandbox.channel_id),
            json=body,
        )
    assert (refused.value.status, refused.value.code) == (400, 50035)
    assert field in str(refused.value)


async def test_what_is_just_within_the_limits_is_taken(sandbox, make_bot, start):
    bot = make_bot()
    await start(bot)
    embed = discord.Embed(title="t" * 256, description="d" * 4096)
    embed.add_field(name="n" * 256, value="v" * 1024)
    await bot.get_channel(sandbox.channel_id).send("x" * 2000, embed=embed)


async def test_an_empty_message_is_refused(sandbox, ben):
    with pytest.raises(RefusedError, match="50006"):
        await ben.say(sandbox.channel_id, " ")


async def test_people_send_no_embeds(sandbox, ben):
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("POST", f"/channels/{sandbox.channel_id}/messages", {"embeds": [{"title": "x"}]})


async def test_a_stranger_sees_nothing(sandbox):
    add_person(sandbox, "dan")
    async with Person(sandbox.url, "dan") as dan:
        for path in (f"/channels/{sandbox.channel_id}", f"/guilds/{sandbox.guild_id}/channels"):
            with pytest.raises(RefusedError, match="50001"):
                await dan.request("GET", path)
        with pytest.raises(RefusedError, match="50007"):
            await dan.direct_channel_id(sandbox.bot_user_id)
        assert [name for name, _ in dan.events] == ["READY"]


@pytest.mark.parametrize(
    "body",
    [
        {"content": "x", "flags": "many"},
        {"content": "x", "attachments": [{"id": "x"}]},
        {"content": "x", "attachments": [1]},
        {"content": "<@100000000000000001>", "allowed_mentions": {"users": ["x"]}},
        {"content": "x", "message_reference": {"message_id": "x"}},
        {"content": "x", "message_reference": 1},
        {"embeds": 1},
        {"embeds": [1]},
        {"embeds": [{"image": 1}]},
        {"embeds": [{"fields": [1]}]},
        {"components": [1]},
        {"components": [{"type": 1, "components": 1}]},
        {"components": [{"type": 1, "components": [1, 2]}]},
        {"components": [{"type": 1, "components": [{"type": 3, "custom_id": "x", "options": [1]}]}]},
        {"components": [{"type": 1, "components": [{"type": 3, "custom_id": 1}]}]},
    ],
)
async def test_a_field_of_the_wrong_kind_is_refused(sandbox, ben, body):
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("POST", f"/channels/{sandbox.channel_id}/messages", body)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": 2},
        {"type": 2, "data": 1},
        {"type": 9, "data": {}},
        {"type": 3, "data": {}},
        {"type": 3, "message_id": "x", "data": {}},
        {"type": 2, "data": {"name": "x", "type": "x"}},
        {"type": 2, "channel_id": "x", "data": {}},
    ],
)
async def test_an_interaction_of_the_wrong_shape_is_refused(sandbox, ben, body):
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("POST", "/interactions", {"channel_id": str(sandbox.channel_id), **body})
