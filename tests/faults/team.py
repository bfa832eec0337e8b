"""People who ask and vote all the time, whatever becomes of the bot, and what they know they did."""

import asyncio
import contextlib
import random
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.people import Json, Person
from support.wire import EPHEMERAL, THUMBS, eventually

from bot.sandbox.server import Sandbox
from bot.sandbox.world.state import Message

NAMES = ("ada", "ben", "cleo")
VALUES = {"👍": 1, "👎": -1}
ANSWER_S, CONFIRMED_S, COUNTED_S = 2.0, 3.5, 60.0
Thumbs = dict[tuple[int, int], set[int]]  # reply and person → values of the thumbs that stand
Chosen = dict[tuple[int, int], frozenset[str]]  # reply and person → words chosen as fitting


@dataclass(slots=True)
class Team:
    """What people did; thumbs are Discord's own to say.

    Attributes:
        replies: the bot's, with their menus.
        choices: reply and person → what may stand of their choices: the last confirmed one, and those after.
        wrong: replies to nobody's query, second replies, and such as are no prediction.
    """

    sandbox: Sandbox
    chance: random.Random
    people: list[Person] = field(default_factory=list)
    replies: list[Json] = field(default_factory=list)
    choices: dict[tuple[int, int], list[frozenset[str]]] = field(
        default_factory=lambda: defaultdict(lambda: [frozenset()])
    )
    wrong: int = 0
    _numbers: int = 0

    async def ask(self, person: Person, *, timeout_s: float = ANSWER_S) -> Json | None:
        """A sentence nobody asked before; None when there is no answer."""
        self._numbers += 1
        since = person.mark()
        text = f"!fill Nike shoes are very [MASK] {self._numbers}"
        asked = await person.say(self.sandbox.channel_id, text)

        def is_reply(body: Json) -> bool:
            return (body.get("message_reference") or {}).get("message_id") == asked["id"]

        try:
            reply = await person.wait_for_event(
                "MESSAGE_CREATE", predicate=is_reply, since=since, timeout_s=timeout_s
            )
        except TimeoutError:
            return None
        if reply["embeds"]:
            self.replies.append(reply)
            return reply
        self.wrong += not reply["content"].startswith("One moment")  # who asks too often is told so
        await asyncio.sleep(1)  # a person who was refused asks again a little later
        return None

    async def until_answered(self, person: Person) -> Json:
        """Ask again and again."""
        async with asyncio.timeout(60):
            while (reply := await self.ask(person, timeout_s=1.0)) is None:
                pass
        return reply

    async def vote(self, person: Person) -> None:
        """A thumb, another one, one taken back, or words in the menu, on a reply of late."""
        reply = self.chance.choice(self.replies[-6:])
        if self.chance.random() < 0.3:
            await self.choose(person, reply)
            return
        thumb = self.chance.choice(THUMBS)
        mine = [r.emoji for r in self._message(reply).reactions if person.id in r.giver_ids()]
        if mine == [thumb]:
            await person.unreact(reply, thumb)
        elif thumb not in mine:  # of two thumbs none is taken back: which one counts then is read back later
            await person.react(reply, thumb)

    async def choose(self, person: Person, reply: Json) -> bool:
        """Choose words in the menu. Returns whether the bot confirmed it."""
        menu = next(c for row in reply["components"] for c in row["components"] if ":fit:" in c["custom_id"])
        words = {option["value"]: option["label"] for option in menu["options"]}
        values = self.chance.sample(sorted(words), self.chance.randint(0, 2))
        may_stand = self.choices[int(reply["id"]), person.id]
        if len(may_stand) > 1:
            return False  # one that nobody confirmed may still be on its way
        may_stand.append(frozenset(words[value] for value in values))
        since = person.mark()

        def confirms(body: Json) -> bool:
            return bool(body["flags"] & EPHEMERAL) and all(word in body["content"] for word in may_stand[-1])

        await person.select(reply, menu["custom_id"], values)
        try:
            await person.wait_for_message(confirms, since=since, timeout_s=CONFIRMED_S)
        except TimeoutError:
            return False
        del may_stand[:-1]
        return True

    @contextlib.asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Everybody goes on asking and voting in the block."""
        is_over = asyncio.Event()

        async def go_on(person: Person) -> None:
            while not is_over.is_set():
                if not self.replies or self.chance.random() < 0.3:
                    await self.ask(person)
                else:
                    await self.vote(person)
                await asyncio.sleep(self.chance.uniform(0, 0.1))  # people act at random instants

        going = [asyncio.create_task(go_on(person)) for person in self.people]
        try:
            yield
        finally:
            is_over.set()
            await asyncio.gather(*going)

    async def lost_votes(self, home: Path) -> int:
        """Wait until all that stands is stored, and nothing else. Returns how many votes are missed."""

        async def all_stand() -> bool:
            return not self._missed(home)

        with contextlib.suppress(TimeoutError):
            await eventually(all_stand, timeout_s=COUNTED_S)
        return self._missed(home)

    def twice_answered(self) -> int:
        """How many queries have more than one reply."""
        answered = [
            message.reference["message_id"]
            for message in self.sandbox.world.messages[self.sandbox.channel_id].values()
            if message.author.is_bot and message.reference is not None
        ]
        return len(answered) - len(set(answered))

    def _missed(self, home: Path) -> int:
        thumbs, chosen = _stored(home)
        given = self._given()
        missed = sum(
            # Of both thumbs one came last; nobody can say which where the bot was away: none counts.
            key not in given
            or not thumbs.get(key, set()) <= given[key]
            or (key not in thumbs and len(given[key]) == 1)
            for key in given.keys() | thumbs.keys()
        )
        return missed + sum(
            chosen.get(key, frozenset()) not in self.choices.get(key, [frozenset()])
            for key in chosen.keys() | self.choices.keys()
        )

    def _given(self) -> Thumbs:
        """Thumbs that stand under the bot's replies, as Discord has them."""
        given: Thumbs = defaultdict(set)
        for reply in self.replies:
            for reaction in self._message(reply).reactions:
                for user_id in reaction.giver_ids():
                    if user_id != self.sandbox.bot_user_id:
                        given[int(reply["id"]), user_id].add(VALUES[reaction.emoji])
        return given

    def _message(self, reply: Json) -> Message:
        return self.sandbox.world.find_message(int(reply["channel_id"]), int(reply["id"]))


def _stored(home: Path) -> tuple[Thumbs, Chosen]:
    """Thumbs and chosen words in the database."""
    with contextlib.closing(sqlite3.connect(f"file:{home / 'fillbot.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT message_id, voter_id, via, word, value FROM votes "
            "JOIN predictions ON predictions.id = votes.prediction_id"
        ).fetchall()
    thumbs: Thumbs = defaultdict(set)
    chosen: dict[tuple[int, int], set[str]] = defaultdict(set)
    for message_id, voter_id, via, word, value in rows:
        if via == "reaction":
            thumbs[message_id, voter_id].add(value)
        else:
            chosen[message_id, voter_id].add(word)
    return thumbs, {key: frozenset(words) for key, words in chosen.items()}


@contextlib.asynccontextmanager
async def team(sandbox: Sandbox, chance: random.Random, names: Sequence[str] = NAMES) -> AsyncIterator[Team]:
    """People with open connections."""
    async with contextlib.AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Person(sandbox.url, name)) for name in names]
        yield Team(sandbox, chance, people)
