"""Every command × every kind of person, by prefix and by slash: answered, refused, or unheard."""

import contextlib
import dataclasses
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from support.commands import declared, options
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel, add_guild, add_person
from support.wire import EPHEMERAL, Wire, wired

from bot.sandbox.world.objects import role_json
from bot.sandbox.world.permissions import EVERYONE
from bot.sandbox.world.state import Role
from bot.subprocesses import training_process
from bot.texts import say

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLE_ID = 1100000000000000777
Answer = Literal["answered", "for admins", "elsewhere", "silence"]
FOR_ADMINS = {"denied", "export", "import", "preferred", "resume", "retrain", "rollback"}
# With these values a permitted command ends quickly.
OPTIONS = {
    name: options(one, word="word", text="no blank", version="../../etc") for name, one in declared().items()
}
# Who → what commands for everybody and those for admins come to.
BY_PREFIX: dict[str, tuple[Answer, Answer]] = {
    "the owner": ("answered", "answered"),
    "who may manage the server": ("answered", "answered"),
    "who holds an admin role": ("answered", "answered"),
    "a member": ("answered", "for admins"),
    "an admin by direct message": ("answered", "answered"),
    "a member by direct message": ("answered", "for admins"),
    "a stranger by direct message": ("elsewhere", "elsewhere"),
    "the owner of another server there": ("elsewhere", "elsewhere"),
    "our owner in another server": ("elsewhere", "elsewhere"),
    "our member in another server": ("elsewhere", "elsewhere"),
    "a bot": ("silence", "silence"),
    "a webhook": ("silence", "silence"),
    "a webhook that does not say it is a bot": ("silence", "silence"),
}
BY_SLASH = {who: answers for who, answers in BY_PREFIX.items() if "silence" not in answers}  # those have none


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A bot whose settings name an admin role, and whose training process ends at once."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_process, "PROGRAM", (sys.executable, "-S", "-c", "raise SystemExit(1)"))
        async with wired(home, admin_role_ids=(ROLE_ID,)) as running:
            world, guild_id = running.sandbox.world, running.sandbox.guild_id
            role = world.roles[ROLE_ID] = Role(ROLE_ID, guild_id, "Trainers", int(EVERYONE), position=3)
            told = {"guild_id": str(guild_id), "role": role_json(role)}
            faults_of(running.sandbox).send_event("GUILD_ROLE_CREATE", told)
            yield running


@dataclasses.dataclass
class Post:
    """A person of some kind, and where they write."""

    wire: Wire
    person: Person
    elsewhere: int | None = None  # another server
    is_direct: bool = False

    async def channel_id(self) -> int:
        """Where to write next: what is not the bot's is told so once a channel, so each time in a new one."""
        if self.is_direct:
            return await self.person.direct_channel_id(self.wire.sandbox.bot_user_id)
        if self.elsewhere is not None:
            number = len(self.wire.sandbox.world.channels)
            return add_channel(self.wire.sandbox, f"talk-{number}", guild_id=self.elsewhere).id
        return self.wire.channel_id

    async def by_prefix(self, text: str) -> Json:
        """Write it, and return what the bot says next in that channel."""
        channel_id, since = await self.channel_id(), self.person.mark()
        await self.person.say(channel_id, text)

        def is_answer(body: Json) -> bool:
            author, where = int(body["author"]["id"]), int(body["channel_id"])
            return (author, where) == (self.wire.sandbox.bot_user_id, channel_id)

        return await self.person.wait_for_event("MESSAGE_CREATE", predicate=is_answer, since=since)

    async def by_slash(self, name: str, values: Mapping[str, str]) -> Json:
        return await self.wire.slash(self.person, name, channel_id=await self.channel_id(), **values)


@contextlib.asynccontextmanager
async def post(wire: Wire, who: str) -> AsyncIterator[Post]:
    sandbox = wire.sandbox
    async with contextlib.AsyncExitStack() as stack:
        if who in ("the owner", "our owner in another server"):
            person = await stack.enter_async_context(wire.person("owner"))
        elif "manage" in who or "admin by direct" in who:
            person = await stack.enter_async_context(wire.person("ada"))
        elif "stranger" in who or "of another" in who:
            name = add_person(sandbox, f"stranger-{len(sandbox.world.users)}").name
            person = await stack.enter_async_context(wire.person(name))
        else:
            person = await stack.enter_async_context(wire.member())
        if "role" in who:
            world, key = sandbox.world, (sandbox.guild_id, person.id)
            world.members[key] = dataclasses.replace(world.members[key], role_ids=(ROLE_ID,))
        elsewhere = None
        if "another" in who or "stranger" in who:
            elsewhere = add_guild(sandbox, "Elsewhere", member_ids=[person.id, sandbox.bot_user_id]).id
        yield Post(wire, person, elsewhere, is_direct="direct" in who)


def kind_of(reply: Json) -> Answer:
    content: str = reply["content"]
    assert "reference" not in content, content  # a fault
    if content == say("errors.not_listed"):
        return "elsewhere"
    return "for admins" if content.startswith("Only admins can do that") else "answered"


async def test_only_these_commands_are_for_admins(wire: Wire) -> None:
    found = {one.name: bool(one.extras.get("admin")) for one in wire.app.bot.commands}
    assert found == {name: name in FOR_ADMINS for name in OPTIONS}
    assert wire.app.bot.tree.get_commands(type=None) == wire.app.bot.tree.get_commands()


@pytest.mark.parametrize(("who", "answers"), BY_PREFIX.items(), ids=BY_PREFIX)
async def test_by_prefix(wire: Wire, who: str, answers: tuple[Answer, Answer]) -> None:
    expected = {name: answers[name in FOR_ADMINS] for name in OPTIONS}
    lines = {name: " ".join([f"!{name}", *values.values()]) for name, values in OPTIONS.items()}
    if answers == ("silence", "silence"):
        assert await said_after(wire, who, list(lines.values())) == []
        return
    async with post(wire, who) as writer:
        if who == "a stranger by direct message":  # told once, then left alone
            first, *others = lines
            found = {first: kind_of(await writer.by_prefix(lines[first]))}
            for name in others:
                await writer.person.say(await writer.channel_id(), lines[name])
            reply = await writer.by_slash("help", {})
            heard = [m for m in await writer.person.messages(int(reply["channel_id"])) if m["author"]["bot"]]
            assert len([m for m in heard if not m["flags"] & EPHEMERAL]) == 1
            assert found[first] == "elsewhere"
            return
        found = {name: kind_of(await writer.by_prefix(line)) for name, line in lines.items()}
    assert found == expected


@pytest.mark.parametrize(("who", "answers"), BY_SLASH.items(), ids=BY_SLASH)
async def test_by_slash(wire: Wire, who: str, answers: tuple[Answer, Answer]) -> None:
    expected = {name: answers[name in FOR_ADMINS] for name in OPTIONS}
    async with post(wire, who) as writer:
        replies = {name: await writer.by_slash(name, values) for name, values in OPTIONS.items()}
    assert {name: kind_of(reply) for name, reply in replies.items()} == expected
    refusals = [reply for reply in replies.values() if kind_of(reply) != "answered"]
    assert all(reply["flags"] & EPHEMERAL for reply in refusals)  # nobody else sees who was refused


async def test_nobody_can_install_the_commands_for_themselves(wire: Wire) -> None:
    """Discord offers that for every application: they would answer in any server and group."""
    told = [(c["integration_types"], c["contexts"]) for c in wire.sandbox.world.commands.values()]
    assert told == [([0], [0, 1])] * len(wire.app.bot.tree.get_commands())


async def test_a_command_from_a_server_that_the_bot_is_not_in_is_refused(wire: Wire, ann: Person) -> None:
    """As a person would send it who had installed the commands for themselves before."""
    faults_of(wire.sandbox).lose_next_event("INTERACTION_CREATE")
    since = ann.mark()
    await ann.slash(wire.channel_id, "model")
    lost = next(one for one in wire.sandbox.world.interactions.values() if one.person_id == ann.id)
    command = next(one for one in wire.sandbox.world.commands.values() if one["name"] == "model")
    user = lost.metadata["user"]
    member = {"user": user, "roles": [], "joined_at": "2024-01-01T00:00:00+00:00", "deaf": False}
    told = {
        "id": str(lost.id),
        "token": lost.token,
        "application_id": str(wire.sandbox.application_id),
        "type": 2,
        "version": 1,
        "guild_id": "42",
        "channel_id": "43",
        "channel": {
            "id": "43",
            "type": 0,
            "name": "talk",
            "guild_id": "42",
            "permissions": "0",
            "position": 0,
        },
        "member": {**member, "mute": False, "flags": 0, "permissions": "0"},
        "app_permissions": "0",
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {"1": str(ann.id)},
        "context": 0,
        "attachment_size_limit": 1_000_000,
        "data": {"id": command["id"], "name": "model", "type": 1, "options": []},
    }
    faults_of(wire.sandbox).send_event("INTERACTION_CREATE", told)
    reply = await ann.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
    assert kind_of(reply) == "elsewhere"


async def said_after(wire: Wire, who: str, lines: list[str]) -> list[str]:
    """What the bot says when a machine writes these lines, up to its answer to what is asked last."""
    async with wire.person("ada") as ada, wire.member() as person:
        since = person.mark()
        if who == "a webhook":
            hook = await ada.request("POST", f"/channels/{wire.channel_id}/webhooks", {"name": "feed"})
            for line in lines:
                await ada.request("POST", f"/webhooks/{hook['id']}/{hook['token']}", {"content": line})
        else:
            message = await ada.say(wire.channel_id, "hello")
            for number, line in enumerate(lines):
                author = {**message["author"], "bot": who == "a bot"}
                told = {**message, "id": str(int(message["id"]) + number), "content": line, "author": author}
                told |= {"webhook_id": author["id"]} if "webhook" in who else {}
                faults_of(wire.sandbox).send_event("MESSAGE_CREATE", told)
        for _ in range(3):
            last = await wire.say(person, "!fill no blank")
        bot_id, own_id = str(wire.sandbox.bot_user_id), str(person.id)
        said = [b for n, b in person.events[since:] if n == "MESSAGE_CREATE" and b["author"]["id"] == bot_id]
        asked = {m["id"] for m in await person.messages(wire.channel_id) if m["author"]["id"] == own_id}
        assert said[-1]["id"] == last["id"]
        return [b["content"] for b in said if b["message_reference"]["message_id"] not in asked]
