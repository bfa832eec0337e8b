"""Many questions under Discord's rate limits: who is answered, who is told, and how late the thumbs are.

Run alone it prints one line a case: `python tests/benchmarks/channel_load.py [CASE …]`.
"""

import asyncio
import contextlib
import itertools
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]

from bot_process import bot_process  # noqa: E402
from measure import Row, percentile  # noqa: E402
from sized import sentences  # noqa: E402
from support.app import environment  # noqa: E402  the path comes first
from support.homes import write_versions  # noqa: E402
from support.sandbox_world import add_channel, add_person  # noqa: E402

from bot.sandbox.interactions.requests import open_interaction  # noqa: E402
from bot.sandbox.messages.payloads import MessagePayload  # noqa: E402
from bot.sandbox.messages.posting import post_message  # noqa: E402
from bot.sandbox.rate_limits import Limits  # noqa: E402
from bot.sandbox.server import Sandbox  # noqa: E402
from bot.sandbox.world.state import Channel, Event  # noqa: E402

PEOPLE = 400  # each may ask 30 times in 10 s
ASKED_FOR_S = 20
KNOWN_WITHIN_S = 10.0
QUIET_S = 12.0  # without a message or a reaction of the bot: all is done
MAX_SETTLE_S = 240.0
TOLD_TOGETHER = re.compile(r"(One|\d+) more questions? w")


@dataclass(frozen=True, slots=True)
class Case:
    """So many questions a second, over so many channels, as `!fill` or as `/fill`."""

    name: str
    rate: float
    channels: int
    is_slash: bool = False


CASES = (
    Case("2/s in one channel", 2, 1),
    Case("20/s in one channel", 20, 1),
    Case("20/s in 20 channels", 20, 20),
    Case("/fill at 20/s in one channel", 20, 1, is_slash=True),
)


@dataclass(slots=True)
class Question:
    """What became of a question; times are those of `time.perf_counter`."""

    channel_id: int
    said_at: float
    replied_at: float | None = None
    is_answered: bool = False
    known_at: float | None = None  # a reply, or a notice that stands for it


@dataclass(slots=True)
class Outcome:
    """What one case came to."""

    questions: list[Question]
    refusals: int
    requests: int
    thumb_lateness_s: list[float] = field(default_factory=list)  # after the reply

    @property
    def answers_s(self) -> list[float]:
        return [q.replied_at - q.said_at for q in self.questions if q.is_answered and q.replied_at]

    @property
    def answered(self) -> int:
        return len(self.answers_s)

    @property
    def answered_in_time(self) -> int:
        return sum(seconds <= KNOWN_WITHIN_S for seconds in self.answers_s)

    @property
    def turned_away(self) -> int:
        return sum(q.known_at is not None and not q.is_answered for q in self.questions)

    @property
    def known_in_time(self) -> int:
        return sum(
            q.known_at is not None and q.known_at - q.said_at <= KNOWN_WITHIN_S for q in self.questions
        )


class ChannelLoad:
    """People who ask in channels, and a note of all that the bot sends."""

    def __init__(self, sandbox: Sandbox, channels: int) -> None:
        self._sandbox = sandbox
        gateway = sandbox.gateway
        self._people = [add_person(sandbox, f"asker-{n}", guild_id=sandbox.guild_id) for n in range(PEOPLE)]
        self._channels = [add_channel(sandbox, f"load-{n}") for n in range(channels)]
        self._by_source: dict[str, Question] = {}  # by the message or interaction that asks
        self._replied_at: dict[str, float] = {}  # by the reply
        self._notices: list[tuple[int, float, int]] = []  # channel, time, questions
        self._thumbs_s: list[float] = []
        self.last_at = time.perf_counter()
        self._dispatch = gateway.dispatch
        gateway.dispatch = self._overhear

    def _overhear(self, events: Iterable[Event]) -> None:
        """Note every message and reaction of the bot on its way to the people."""
        now, events = time.perf_counter(), list(events)
        bot_id = str(self._sandbox.bot_user_id)
        for event in events:
            body = event.data
            if event.name == "MESSAGE_CREATE" and body["author"]["id"] == bot_id:
                self.last_at = now
                self._hear_message(body, now)
            elif event.name == "MESSAGE_UPDATE":
                self._hear_message(body, now)
            elif event.name == "MESSAGE_REACTION_ADD" and body["user_id"] == bot_id:
                self.last_at = now
                if (replied_at := self._replied_at.get(body["message_id"])) is not None:
                    self._thumbs_s.append(now - replied_at)
        self._dispatch(events)

    def _hear_message(self, body: dict, now: float) -> None:
        if told := TOLD_TOGETHER.match(body.get("content", "")):
            number = 1 if told[1] == "One" else int(told[1])
            self._notices.append((int(body["channel_id"]), now, number))
        source = (body.get("message_reference") or {}).get("message_id")
        source = source or (body.get("interaction_metadata") or {}).get("id")
        question = self._by_source.get(source or "")
        is_loading = body.get("flags", 0) & 1 << 7
        if question is not None and question.replied_at is None and not is_loading:
            question.replied_at = question.known_at = now
            question.is_answered = bool(body.get("embeds"))
            if question.is_answered:
                self._replied_at[body["id"]] = now

    def _ask(self, query: str, person_id: int, channel: Channel, *, is_slash: bool) -> Question:
        world = self._sandbox.world
        if is_slash:
            data = {"name": "fill", "options": [{"name": "text", "value": query}]}
            body = {"type": 2, "channel_id": str(channel.id), "data": data}
            interaction, events = open_interaction(world, person_id, body)
            source_id = interaction.id
        else:
            payload = MessagePayload(content=f"!fill {query}")
            message, events = post_message(world, channel, author=world.users[person_id], payload=payload)
            source_id = message.id
        question = self._by_source[str(source_id)] = Question(channel.id, time.perf_counter())
        self._dispatch(events)
        return question

    async def run(self, case: Case) -> Outcome:
        """Ask for a while, wait until the bot has nothing more to send, and add up."""
        queries = itertools.cycle(sentences(400, seed=17))
        people, channels = itertools.cycle(self._people), itertools.cycle(self._channels)
        limits = self._sandbox.rate_limits
        requests, refusals = limits.requests.total(), limits.refusals
        began = time.perf_counter()
        questions = []
        for number in range(round(case.rate * ASKED_FOR_S)):
            await asyncio.sleep(max(0.0, began + number / case.rate - time.perf_counter()))  # the rate
            questions.append(
                self._ask(next(queries), next(people).id, next(channels), is_slash=case.is_slash)
            )
        self.last_at = ended = time.perf_counter()
        while time.perf_counter() < min(self.last_at + QUIET_S, ended + MAX_SETTLE_S):  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.2)
        self._cover(questions)
        return Outcome(
            questions,
            limits.refusals - refusals,
            limits.requests.total() - requests,
            self._thumbs_s,
        )

    def _cover(self, questions: list[Question]) -> None:
        """Let each notice stand for the earliest questions before it that have no reply."""
        open_questions: defaultdict[int, list[Question]] = defaultdict(list)
        for question in questions:
            if question.known_at is None:
                open_questions[question.channel_id].append(question)
        for channel_id, told_at, number in self._notices:
            waiting = open_questions[channel_id]
            for question in [one for one in waiting if one.said_at <= told_at][:number]:
                question.known_at = told_at
                waiting.remove(question)


@contextlib.asynccontextmanager
async def bot_under_load(channels: int, *, limits: Limits | None) -> AsyncIterator[ChannelLoad]:
    """The bot in a process of its own with a tiny model: the time that is measured is Discord's."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        await asyncio.to_thread(write_versions, home / "models")
        async with Sandbox(limits=limits) as sandbox:
            variables = environment(
                home,
                token=sandbox.bot_token,
                DISCORD_API_URL=sandbox.api_url,
                DISCORD_GATEWAY_URL=sandbox.gateway_url,
                GUILD_IDS=sandbox.guild_id,
            )
            async with bot_process(home, variables):
                while not sandbox.world.commands:  # noqa: ASYNC110  what is waited for has no event
                    await asyncio.sleep(0.05)
                yield ChannelLoad(sandbox, channels)


async def measure_case(case: Case, *, limits: Limits | None) -> Outcome:
    """Run one case on a fresh bot."""
    async with bot_under_load(case.channels, limits=limits) as load:
        return await load.run(case)


def run() -> list[Row]:
    """Run every case under Discord's limits."""
    rows = []
    for case in CASES:
        found = asyncio.run(measure_case(case, limits=Limits()))
        asked = len(found.questions)
        note = f"{asked} asked, {found.turned_away} turned away, {found.refusals} × 429"
        name = case.name
        rows += [
            Row(f"{name}: answered", found.answered, "questions", is_rate=True, note=note),
            Row(f"{name}: knew within 10 s", found.known_in_time, "questions", limit=asked, is_rate=True),
        ]
        if found.answers_s:
            rows.append(Row(f"{name}: answers, median", percentile(found.answers_s, 50), "s"))
            rows.append(Row(f"{name}: answers, p95", percentile(found.answers_s, 95), "s", limit=10.0))
        if found.thumb_lateness_s:
            rows.append(Row(f"{name}: last thumb after its reply", max(found.thumb_lateness_s), "s"))
    return rows


def line(case: Case, found: Outcome) -> str:
    """Return one row of the table in docs/performance.md."""
    times = "– / –"
    if found.answers_s:
        times = f"{percentile(found.answers_s, 50):.2f} / {percentile(found.answers_s, 95):.2f} s"
    thumbs = f"{max(found.thumb_lateness_s):.1f} s" if found.thumb_lateness_s else "–"
    asked = len(found.questions)
    cells = (
        case.name,
        f"{found.answered} of {asked}",
        f"{found.turned_away}",
        times,
        f"{found.known_in_time}",
        f"{found.refusals}",
        f"{len(found.thumb_lateness_s)}; {thumbs}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print a line for each case whose name holds one of the arguments."""
    chosen = [case for case in CASES if not sys.argv[1:] or any(arg in case.name for arg in sys.argv[1:])]
    for case in chosen:
        found = asyncio.run(measure_case(case, limits=Limits()))
        print(line(case, found), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
