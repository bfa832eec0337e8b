"""People do anything in any order, the bot comes and goes: the votes are those that a few lines say.

Hypothesis makes up the stories; each is told to a real bot on a Discord that outlives it. `make fuzz` tells
many, `VOTES_STORIES=500` says how many.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import structlog
from faults.hosted import hosted
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from structlog.testing import LogCapture
from support.homes import write_versions
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_person
from support.wire import Wire, eventually

from bot.sandbox.server import Sandbox
from storage.schema import predictions, votes

STORIES, STEPS = int(os.environ.get("VOTES_STORIES", "1")), 14
NAMES = ("ann", "bob", "cat")
THUMBS = {"👍": 1, "👍🏽": 1, "👎": -1, "👎🏿": -1}
GAPS = ("restart", "drop", "invalidate", "reconnect")
Vote = tuple[int, str, str, str]  # reply, person, via, word


@dataclass
class Reference:
    """What the votes table must hold. A reply is its message's id; `shown` is what stands on Discord."""

    votes: dict[Vote, int] = field(default_factory=dict)
    shown: set[tuple[int, str, str]] = field(default_factory=set)
    heard: dict[tuple[int, str], list[str]] = field(default_factory=dict)  # thumbs, oldest first
    forgotten: set[tuple[int, str]] = field(default_factory=set)

    def given(self, reply: int, who: str) -> list[str]:
        return [thumb for thumb in THUMBS if (reply, who, thumb) in self.shown]

    def is_heard(self, reply: int) -> bool:
        return all(set(self.given(reply, who)) == set(self.heard.get((reply, who), [])) for who in NAMES)

    def hear(self, reply: int, who: str, thumbs: list[str]) -> None:
        """The last thumb votes; without one there is no vote."""
        self.heard[reply, who] = thumbs
        if thumbs:
            self.votes[reply, who, "reaction", "top"] = THUMBS[thumbs[-1]]
        else:
            self.votes.pop((reply, who, "reaction", "top"), None)

    def give(self, reply: int, who: str, thumb: str, *, is_heard: bool = True) -> None:
        self.shown.add((reply, who, thumb))
        if is_heard:
            self.hear(reply, who, [one for one in self.heard.get((reply, who), []) if one != thumb] + [thumb])

    def take(self, reply: int, who: str, thumb: str, *, is_heard: bool = True) -> None:
        self.shown.discard((reply, who, thumb))
        if is_heard:
            self.hear(reply, who, [one for one in self.heard.get((reply, who), []) if one != thumb])

    def clear(self, reply: int, thumbs: Iterable[str], *, is_heard: bool = True) -> None:
        for who in NAMES:
            for thumb in thumbs:
                self.take(reply, who, thumb, is_heard=is_heard)

    def choose(self, reply: int, who: str, value: int, words: list[str]) -> None:
        for vote in [
            v for v, stands in self.votes.items() if v[:3] == (reply, who, "menu") and stands == value
        ]:
            del self.votes[vote]
        self.votes |= {(reply, who, "menu", word): value for word in words}

    def take_back(self, reply: int, who: str) -> None:
        self.votes = {v: value for v, value in self.votes.items() if v[:3] != (reply, who, "menu")}

    def read_back(self, reply: int) -> None:
        for who in NAMES:
            given, heard = self.given(reply, who), self.heard.get((reply, who), [])
            value = THUMBS[heard[-1]] if heard else 0
            signs = {THUMBS[thumb] for thumb in given}
            if value not in signs and (len(signs) > 1 or (not heard and (reply, who) in self.forgotten)):
                continue
            known = [thumb for thumb in heard if thumb in given]
            new = sorted(thumb for thumb in given if thumb not in known)
            self.hear(reply, who, sorted(new + known, key=lambda thumb: THUMBS[thumb] == value))

    def forget(self, who: str, *, asked: set[int], others: set[int]) -> None:
        self.votes = {v: value for v, value in self.votes.items() if v[1] != who and v[0] not in asked}
        self.heard = {one: thumbs for one, thumbs in self.heard.items() if one[1] != who}
        self.forgotten |= {(reply, who) for reply in others}


class Stories(RuleBasedStateMachine):
    """A rule is what people do, or what happens to the bot; then the table is as the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.runner, self.stack, self.app = (
            asyncio.Runner(),
            contextlib.AsyncExitStack(),
            contextlib.AsyncExitStack(),
        )
        self.model, self.logs = Reference(), LogCapture()
        self.replies: dict[int, Json] = {}  # that stand in the channel
        self.asked_by: dict[int, str] = {}
        self.tops: dict[int, str] = {}
        self.gone_people: set[str] = set()
        structlog.configure(processors=[self.logs])
        self.runner.run(self.begin())

    async def begin(self) -> None:
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.home = Path(folder) / "home"
        shutil.copytree(MODELS[0], self.home / "models")
        self.sandbox = await self.stack.enter_async_context(Sandbox())
        self.people: dict[str, Person] = {}
        for name in NAMES:
            add_person(self.sandbox, name, guild_id=self.sandbox.guild_id)
            self.people[name] = await self.stack.enter_async_context(Person(self.sandbox.url, name))
        self.owner = await self.stack.enter_async_context(Person(self.sandbox.url, "owner"))
        await self.open()

    async def open(self) -> None:
        passes = self.passes()
        self.wire: Wire = await self.app.enter_async_context(hosted(self.home, self.sandbox))
        await self.until_read_back(passes)

    def passes(self) -> int:
        """How often thumbs were read back."""
        return sum(line["event"] == "reconcile.finished" for line in self.logs.entries)

    async def until_read_back(self, passes: int) -> None:
        async def is_over() -> bool:
            return self.passes() > passes

        await eventually(is_over)

    def teardown(self) -> None:
        self.runner.run(self.app.aclose())
        self.runner.run(self.stack.aclose())
        self.runner.close()
        structlog.configure(processors=PROCESSORS)
        assert not [line for line in self.logs.entries if line["event"] in ("event.failed", "command.failed")]

    def do(self, what: Any) -> Any:
        """Let it happen, and wait until the table is as it must be."""
        found = self.runner.run(what)
        self.runner.run(self.agree())
        return found

    async def agree(self) -> None:
        async def stands() -> bool:
            return await self.stored() == self.model.votes

        try:
            await eventually(stands, timeout_s=10)
        except TimeoutError:
            assert await self.stored() == self.model.votes

    async def stored(self) -> dict[Vote, int]:
        names = {person.id: name for name, person in self.people.items()}
        joined = select(predictions.c.message_id, votes).join(
            predictions, predictions.c.id == votes.c.prediction_id
        )
        async with self.wire.app.database.read() as connection:
            rows = (await connection.execute(joined)).all()
        found = {}
        for row in rows:
            is_top = row.via == "reaction" and row.word == self.tops[row.message_id]
            key = row.message_id, names[row.voter_id], row.via, "top" if is_top else row.word
            found[key] = row.value
        return found

    def pick(self, number: int) -> int:
        return sorted(self.replies)[number % len(self.replies)]

    has_replies = precondition(lambda self: bool(self.replies))
    person, number, value = st.sampled_from(NAMES), st.integers(0, 9), st.sampled_from((1, -1))
    acts = st.lists(
        st.tuples(
            st.sampled_from(("give", "give", "give", "take", "take", "clear", "clear all", "delete")),
            person,
            number,
            st.sampled_from(sorted(THUMBS)),
        ),
        max_size=5,
    )

    @initialize(who=person)
    def first(self, who: str) -> None:
        self.ask(who)

    @precondition(lambda self: len(self.asked_by) < 5)
    @rule(who=person)
    def ask(self, who: str) -> None:
        async def happens() -> None:
            query = f"Nike shoes for person {len(self.asked_by) + 11} are very [MASK]"
            reply = await self.wire.ask(self.people[who], query)
            row = await self.wire.row(reply)
            number = int(reply["id"])
            self.replies[number], self.asked_by[number] = reply, who
            self.tops[number] = row["candidates"][0]["word"]

        self.do(happens())

    @has_replies
    @rule(acts=acts)
    def people_act(self, acts: list[tuple[str, str, int, str]]) -> None:
        for act in acts:
            self.do(self.acted(*act, is_heard=True))

    async def acted(self, what: str, who: str, number: int, thumb: str, *, is_heard: bool) -> None:
        """Somebody gives, takes, clears or deletes."""
        reply, model = self.pick(number), self.model
        shown = sorted(one for one in model.shown if one[0] in self.replies)
        if what == "take" and shown:  # anybody's thumb: by chance one that stands is seldom met
            reply, who, thumb = shown[number % len(shown)]
        person = self.people[who]
        given = model.given(reply, who)
        # A lost event may be told again or read back: what would differ by that is not done in a gap.
        is_clear = all(THUMBS[one] == THUMBS[thumb] for one in given)
        if what == "give" and thumb not in given:
            if is_heard or (is_clear and (reply, who) not in model.forgotten):
                await person.react(self.replies[reply], thumb)
                model.give(reply, who, thumb, is_heard=is_heard)
        elif what == "take" and thumb in given:
            if is_heard or is_clear:
                await person.unreact(self.replies[reply], thumb)
                model.take(reply, who, thumb, is_heard=is_heard)
        elif what == "clear" and is_heard:
            await self.owner.clear_reactions(self.replies[reply], thumb)
            model.clear(reply, (thumb,), is_heard=is_heard)
        elif what == "clear all":
            await self.owner.clear_reactions(self.replies[reply])
            model.clear(reply, THUMBS, is_heard=is_heard)
        elif what == "delete" and len(self.replies) > 1 and (is_heard or model.is_heard(reply)):
            await self.owner.delete(self.replies.pop(reply))

    @has_replies
    @rule(
        who=person,
        number=number,
        value=value,
        chosen=st.sets(st.integers(0, 4), max_size=3),
        is_taken_back=st.booleans(),
    )
    def choose(self, who: str, number: int, value: int, chosen: set[int], is_taken_back: bool) -> None:
        reply, person = self.pick(number), self.people[who]

        async def happens() -> None:
            menu = self.replies[reply]["components"][0 if value > 0 else 1]["components"][0]
            offered = [option["value"] for option in menu["options"]]
            wanted = [offered[at] for at in sorted(chosen) if at < len(offered)]
            since = person.mark()
            await person.select(self.replies[reply], menu["custom_id"], wanted)
            line = await person.wait_for_message(lambda body: body["flags"] & (1 << 6), since=since)
            self.model.choose(reply, who, value, [one.partition(":")[2] for one in wanted])
            if is_taken_back and line["components"]:
                since = person.mark()
                await person.click(line, line["components"][0]["components"][0]["custom_id"])
                await person.wait_for_event(
                    "MESSAGE_UPDATE", predicate=lambda b: b["id"] == line["id"], since=since
                )
                self.model.take_back(reply, who)

        self.do(happens())

    @has_replies
    @rule(how=st.sampled_from(GAPS), acts=acts)
    def gap(self, how: str, acts: list[tuple[str, str, int, str]]) -> None:
        async def happens() -> None:
            faults, passes = faults_of(self.sandbox), self.passes()
            if how == "restart":
                await self.app.aclose()
            elif how == "drop":
                faults.drop_gateway(4000)
            elif how == "invalidate":
                faults.invalidate_sessions()
            else:
                faults.ask_to_reconnect()
            for act in acts:
                await self.acted(*act, is_heard=False)
            if how == "restart":
                await self.open()
            else:
                await self.until_read_back(passes)
            for reply in self.replies:
                self.model.read_back(reply)

        self.do(happens())

    @precondition(lambda self: len(self.gone_people) < 2)
    @rule(who=person)
    def forget(self, who: str) -> None:
        if who in self.gone_people:
            return
        self.gone_people.add(who)

        async def happens() -> None:
            person = self.people[who]
            offer = await self.wire.say(person, "!forgetme")
            asked = {reply for reply, by in self.asked_by.items() if by == who}
            if offer["components"]:
                await person.click(offer, offer["components"][0]["components"][0]["custom_id"])
                await person.wait_for_event(
                    "MESSAGE_UPDATE",
                    predicate=lambda body: (
                        body["id"] == offer["id"] and "You are forgotten" in body["content"]
                    ),
                )
                self.model.forget(who, asked=asked, others=set(self.asked_by) - asked)
                self.asked_by = {reply: by for reply, by in self.asked_by.items() if by != who}
                self.replies = {one: reply for one, reply in self.replies.items() if one not in asked}

        self.do(happens())


MODELS: list[Path] = []
PROCESSORS: list[Any] = []


def test_the_votes_are_what_the_model_says(tmp_path_factory: Any) -> None:
    MODELS[:] = [write_versions(tmp_path_factory.mktemp("registry") / "models")]
    PROCESSORS[:] = structlog.get_config()["processors"]
    told = hypothesis.settings(
        max_examples=STORIES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),  # a story is short enough to be read as it is
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(Stories, settings=told)
