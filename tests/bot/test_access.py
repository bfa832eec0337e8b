"""Who may do what, with the roles and servers of the sandbox behind the real client."""

import dataclasses
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
import pytest_asyncio
from support.discord_reader import read
from support.people import Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_guild
from support.wire import Wire, eventually, wired

from bot.sandbox.world.objects import role_json
from bot.sandbox.world.permissions import EVERYONE
from bot.sandbox.world.state import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLE_ID = 1100000000000000777


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A bot whose settings name a role that gives no rights on Discord."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with wired(home, admin_role_ids=(ROLE_ID,)) as running:
        yield running


def give_role(wire: Wire, person: Person) -> None:
    world, guild_id = wire.sandbox.world, wire.sandbox.guild_id
    role = world.roles[ROLE_ID] = Role(ROLE_ID, guild_id, "Trainers", int(EVERYONE), position=3)
    faults_of(wire.sandbox).send_event(
        "GUILD_ROLE_CREATE", {"guild_id": str(guild_id), "role": role_json(role)}
    )
    member = world.members[guild_id, person.id]
    world.members[guild_id, person.id] = dataclasses.replace(member, role_ids=(ROLE_ID,))


async def test_the_right_to_manage_the_server_makes_an_admin(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        assert (await wire.say(ada, "!resume"))["content"] == "Nightly promotion is not paused."


async def test_a_role_of_the_settings_makes_an_admin(wire: Wire, ann: Person) -> None:
    give_role(wire, ann)
    assert (await wire.say(ann, "!resume"))["content"] == "Nightly promotion is not paused."
    assert (await wire.slash(ann, "resume"))["content"] == "Nightly promotion is not paused."
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.say(ann, "!resume", channel_id=channel_id)
    assert reply["content"] == "Nightly promotion is not paused."


async def test_anybody_else_is_told_what_it_takes(wire: Wire, ann: Person) -> None:
    role = "the role “Trainers” or the right to manage the server"
    assert (await wire.say(ann, "!resume"))["content"] == f"Only admins can do that: you need {role}."


async def test_the_name_of_a_role_does_not_come_alive(wire: Wire, ann: Person) -> None:
    role = wire.app.bot.get_guild(wire.sandbox.guild_id).get_role(ROLE_ID)
    before, role.name = role.name, "[free](https://x.y) @everyone"
    try:
        reply = await wire.say(ann, "!resume")
    finally:
        role.name = before
    assert read(reply["content"])[1] == []


async def test_an_admin_of_another_server_is_none_here(wire: Wire, ann: Person) -> None:
    add_guild(wire.sandbox, "Ann's own", member_ids=[ann.id, wire.sandbox.bot_user_id])
    assert (await wire.say(ann, "!resume"))["content"].startswith("Only admins can do that")
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    assert (await wire.say(ann, "!resume", channel_id=channel_id))["content"].startswith("Only admins")


@pytest_asyncio.fixture(loop_scope="module")
async def other(wire: Wire) -> AsyncIterator[int]:
    """A second server on the list, which is looked at first and does not know anybody."""
    sandbox, access = wire.sandbox, wire.app.bot.access
    guild = add_guild(sandbox, "Second", member_ids=[sandbox.bot_user_id])

    async def is_known() -> bool:
        return wire.app.bot.get_guild(guild.id) is not None

    await eventually(is_known)
    before = access._guild_ids
    access._guild_ids = (guild.id, *before)  # type: ignore[assignment]  # their order matters here
    yield guild.id
    access._guild_ids = before
    faults_of(sandbox).clear()


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_a_server_that_refuses_a_look_up_is_skipped(
    wire: Wire, ann: Person, other: int, status: int
) -> None:
    faults_of(wire.sandbox).fail("GET", f"/guilds/{other}/members/", status=status, times=None)
    person = wire.app.bot._connection.store_user(
        {"id": str(ann.id), "username": "ann", "discriminator": "0", "avatar": None}
    )
    assert [one.guild.id for one in await wire.app.bot.access.memberships(person)] == [wire.sandbox.guild_id]
    assert await wire.app.bot.access.may_ask(person, None)


async def test_an_admin_is_one_though_another_server_refuses_a_look_up(
    wire: Wire, ann: Person, other: int
) -> None:
    give_role(wire, ann)
    faults_of(wire.sandbox).fail("GET", f"/guilds/{other}/members/", status=403, times=None)
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.say(ann, "!resume", channel_id=channel_id)
    assert reply["content"] == "Nightly promotion is not paused."


async def test_a_member_that_cannot_be_read_is_skipped(
    wire: Wire, ann: Person, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_member = discord.Guild.fetch_member

    async def fetch(guild: discord.Guild, user_id: int) -> discord.Member:
        if guild.id == other:
            raise KeyError("roles")
        return await fetch_member(guild, user_id)

    monkeypatch.setattr(discord.Guild, "fetch_member", fetch)
    give_role(wire, ann)
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.say(ann, "!resume", channel_id=channel_id)
    assert reply["content"] == "Nightly promotion is not paused."


@pytest.mark.parametrize("status", [403, 503])
async def test_an_admin_is_one_though_the_owner_is_not_known(wire: Wire, status: int) -> None:
    bot = wire.app.bot
    bot.owner_id, bot.owner_ids = None, set()
    faults_of(wire.sandbox).fail("GET", "/oauth2/applications/@me", status=status, times=None)
    try:
        async with wire.person("ada") as ada:
            assert (await wire.say(ada, "!resume"))["content"] == "Nightly promotion is not paused."
    finally:
        faults_of(wire.sandbox).clear()


async def test_every_command_is_shown_where_a_role_makes_admins(wire: Wire) -> None:
    """Its holders need not have the right to manage the server."""
    shown_to = [one.get("default_member_permissions") for one in wire.sandbox.world.commands.values()]
    assert set(shown_to) == {None}
