"""What comes over the wire, to a bot that runs: events of any shape, and commands with any text."""

import asyncio
import contextlib
import copy
import logging
import re
import traceback
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from faults.hosted import hosted
from fuzz.hostile import BOUNDARIES, json_values, spelled
from fuzz.targets import Check, opened_target
from hypothesis import strategies as st
from support.commands import declared
from support.people import Json, Person
from support.wire import EPHEMERAL, Wire, eventually

from bot.sandbox.server import Sandbox

TRACEBACKS = ("event.failed", "command.failed", "interaction.failed", "task.failed")
SETTLED_WITHIN_S = 20.0
# An interaction that comes twice is answered once.
OF_DISCORD = ("already been acknowledged.", "Unknown interaction", "Unknown Interaction", "Unknown Webhook")
ROOT = Path(__file__).parents[2]
FILES = re.compile(r'^ *File "([^"]+)"', re.MULTILINE)
ALWAYS_TOLD = ("member", "user", "application_id", "guild_id", "channel_id", "channel")
GUILD = ("GUILD", "CHANNEL", "THREAD")
EVENTS_OF_MORE = {
    "GUILD_UPDATE": {},
    "GUILD_ROLE_CREATE": {"role": {"id": "5", "name": "x", "permissions": "0", "position": 1, "colors": {}}},
    "GUILD_MEMBER_REMOVE": {"user": {"id": "1", "username": "x", "discriminator": "0", "avatar": None}},
    "CHANNEL_DELETE": {},
    "THREAD_LIST_SYNC": {"threads": [], "members": []},
}


class Errors(logging.Handler):
    """Keeps what libraries say went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = self.format(record)
        is_autocomplete = said.startswith(
            "Ignoring exception in autocomplete"
        )  # what is typed is always text
        if is_ours(FILES.findall(said)) and not is_autocomplete and not said.endswith(OF_DISCORD):
            self.said.append(said)


@contextlib.contextmanager
def tracebacks() -> Iterator[list[Any]]:
    """Everything that was logged with a traceback in the block, ours or of discord.py and asyncio."""
    found: list[Any] = []
    errors = Errors()
    logging.getLogger().addHandler(errors)
    try:
        with structlog.testing.capture_logs() as logs:
            yield found
    finally:
        logging.getLogger().removeHandler(errors)
    found += errors.said
    for line in logs:
        if line["event"] in TRACEBACKS:
            error = line.get("exc_info")
            if isinstance(error, BaseException):
                files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
                if not is_ours(files):
                    continue
            found.append(repr(error))
            if isinstance(error, BaseException):
                raise AssertionError(f"{line['event']}: {line}") from error


def is_ours(files: Sequence[str]) -> bool:
    """Whether a traceback, as its files, ends with us: discord.py reads some of an event late."""
    inner = [file for file in files if "site-packages" in file or Path(file).is_relative_to(ROOT)]
    through = [file for file in inner if Path(file).is_relative_to(ROOT)]
    return bool(through) and "/site-packages/discord/" not in inner[-1]


class Running:
    """A bot in this process on a sandbox, with a loop that is driven from outside."""

    def __init__(self, home: Path) -> None:
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self.recorded: list[tuple[str, Json]] = []
        self.do(self._open(home))

    def do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    def close(self) -> None:
        self.do(self._stack.aclose())
        self._runner.close()

    async def _open(self, home: Path) -> None:
        sandbox = await self._stack.enter_async_context(Sandbox())
        self.wire: Wire = await self._stack.enter_async_context(hosted(home, sandbox))
        self.ann: Person = await self._stack.enter_async_context(self.wire.member())
        self.parsers = self.wire.app.bot._connection.parsers

    async def record(self) -> None:
        """Do everything that people do once, and keep the events that the bot heard."""
        heard, parsers = self.recorded, dict(self.parsers)

        def recorder(name: str) -> Any:
            def parse(body: Json) -> None:
                heard.append((name, copy.deepcopy(body)))
                parsers[name](body)

            return parse

        self.parsers.update({name: recorder(name) for name in parsers})
        wire, ann = self.wire, self.ann
        reply = await wire.ask(ann)
        for emoji in ("👍", "👎"):
            await ann.react(reply, emoji)
        await ann.unreact(reply, "👎")
        row = reply["components"][0]["components"][0]
        await ann.select(reply, row["custom_id"], [row["options"][0]["value"]])
        since = ann.mark()
        await ann.click(reply, reply["components"][2]["components"][0]["custom_id"])
        modal = await ann.wait_for_event("INTERACTION_MODAL_CREATE", since=since)
        fields = [one["components"][0] for one in modal["components"] if "components" in one]
        since = ann.mark()
        await ann.submit(modal, {one["custom_id"]: "breathable" for one in fields})
        await ann.wait_for_message(lambda body: body["flags"] & EPHEMERAL, since=since)
        await wire.slash(ann, "model")
        await ann.complete(wire.channel_id, "help", "name", "v")
        async with wire.person("owner") as owner:
            await owner.clear_reactions(reply, "👍")
            await owner.clear_reactions(reply)
        await ann.delete(await ann.say(wire.channel_id, "!model"))
        await eventually(self._heard_enough)
        self.parsers.clear()
        self.parsers.update(parsers)
        guild_id = str(wire.sandbox.guild_id)
        self.guild = wire.app.bot.get_guild(wire.sandbox.guild_id)
        self.recorded += [
            (name, {"guild_id": guild_id, "id": "7", **body}) for name, body in EVENTS_OF_MORE.items()
        ]
        self.recorded.append(
            ("MESSAGE_DELETE_BULK", {"ids": ["1", reply["id"]], "channel_id": reply["channel_id"]})
        )

    async def _heard_enough(self) -> bool:
        return {"MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_DELETE"} <= {name for name, _ in self.recorded}

    async def settled(self) -> None:
        """Wait until nothing that an event began goes on."""

        async def is_so() -> bool:
            names = [task.get_name() for task in asyncio.all_tasks()]
            return not any(
                n.startswith(("discord.py: ", "discord-ui-")) and "timeout" not in n for n in names
            )

        await asyncio.sleep(0)  # tasks for the last event exist after this turn
        await eventually(is_so, timeout_s=SETTLED_WITHIN_S)

    async def is_alive(self) -> None:
        """Whether it still answers, and counts votes."""
        reply = await self.wire.ask(self.ann)
        await self.ann.react(reply, "👍")
        await self.wire.until_votes(reply, (self.ann, 1))


def places(body: Any) -> list[tuple[Any, Any]]:
    """Every place in an event: what holds it, and its key there."""
    found: list[tuple[Any, Any]] = []
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        found += [(body, key), *places(value)]
    return found


GONE = object()
odd = st.sampled_from((GONE, *BOUNDARIES, *map(str, BOUNDARIES), None, "", [], {})) | json_values
mutations = st.lists(st.tuples(st.integers(0, 999), odd), max_size=3)


def mutated(body: Json, changes: list[tuple[int, Any]]) -> Json:
    """An event that was real once; of a control it is always told who used it, and where."""
    kept = {key: body[key] for key in ALWAYS_TOLD if key in body and "token" in body}
    body = copy.deepcopy(body)
    for at, value in changes:
        if found := places(body):
            holder, key = found[at % len(found)]
            if value is GONE:
                del holder[key]
            else:
                holder[key] = value
    return {**body, **copy.deepcopy(kept)}


@opened_target(
    "events",
    checked="what discord.py cannot read is skipped, the rest handled without a traceback; the bot lives on",
    inputs=20_000,
    quick=60,
    at=st.integers(0, 999),
    changes=mutations,
)
@contextlib.contextmanager
def events_heard(home: Path) -> Iterator[Check]:
    running = Running(home)
    running.do(running.record())

    def check(at: int, changes: list[tuple[int, Any]]) -> None:
        name, body = running.recorded[at % len(running.recorded)]

        async def hear() -> None:
            state = running.wire.app.bot._connection
            running.parsers[name](mutated(body, changes))
            await running.settled()
            if name.startswith(GUILD):
                state._guilds.clear()
                state._add_guild(running.guild)

        with tracebacks() as found:
            running.do(hear())
        assert not found, found

    try:
        yield check
        running.do(running.is_alive())
    finally:
        running.close()


FREQUENT = ("fill", "fill", "fill")
NO_COMMANDS = ("modell", "")
LEFT_OUT = {"compare", "forgetme", "optout", "scores", "stats", "why"}  # slow, or they change what follows
COMMANDS = (*FREQUENT, *sorted({*declared()} - LEFT_OUT), *NO_COMMANDS)
typed = st.binary(max_size=10).map(spelled)


@opened_target(
    "commands",
    checked="over the wire: one reply that Discord takes, and no traceback",
    inputs=3_000,
    quick=40,
    command=st.sampled_from(COMMANDS),
    text=typed,
)
@contextlib.contextmanager
def commands_said(home: Path) -> Iterator[Check]:
    running = Running(home)

    def check(command: str, text: str) -> None:
        async def say() -> None:
            is_command = command not in NO_COMMANDS
            content = f"!{command} {text}"[:2000].encode(errors="replace").decode()
            async with running.wire.member() as somebody:
                since = somebody.mark()
                message = await somebody.say(running.wire.channel_id, content)
                end = await somebody.say(running.wire.channel_id, "!help")

                def answers(to: Json) -> list[Json]:
                    new = [body for name, body in somebody.events[since:] if name == "MESSAGE_CREATE"]
                    return [
                        m for m in new if (m.get("message_reference") or {}).get("message_id") == to["id"]
                    ]

                async def is_over() -> bool:
                    return bool(answers(end)) and bool(answers(message)) >= is_command

                await eventually(is_over)
                await running.settled()
                assert len(answers(message)) <= 1, (content, answers(message))

        with tracebacks() as found:
            running.do(say())
        assert not found, found

    try:
        yield check
    finally:
        running.close()
