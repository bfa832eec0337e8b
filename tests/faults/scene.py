"""People who ask and vote while something is broken, and what must be so afterwards."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from faults.trials import Found
from sqlalchemy import select
from support.people import Json, Person
from support.sandbox_world import add_person
from support.wire import THUMBS, Wire, eventually

from bot.sandbox.server import Sandbox
from storage.database import Database
from storage.schema import predictions, votes
from storage.votes.reactions import SIGNS as VALUES

PEOPLE = 4
QUERIES = (
    "shoes are [MASK]",
    "these boots are [MASK] and [MASK]",
    "the support is [MASK]",
    "my order was [MASK]",
)
Vote = tuple[int, int]  # message and voter


@dataclass
class Scene:
    """Some people on a sandbox. `asked` are their questions, `replies` what can be voted on."""

    sandbox: Sandbox
    people: list[Person]
    chance: random.Random
    asked: list[Json] = field(default_factory=list)
    replies: list[Json] = field(default_factory=list)

    async def prepare(self, wire: Wire, *, replies: int = 3) -> None:
        """Have some replies to vote on."""
        for number in range(replies):
            self.replies.append(await wire.ask(self.people[number % PEOPLE], self.chance.choice(QUERIES)))

    async def act(self) -> None:
        """One person gives a thumb, changes it, or takes it back; or asks."""
        person, reply = self.chance.choice(self.people), self.chance.choice(self.replies)
        kind = self.chance.choice(("give", "give", "change", "back", "ask"))
        if kind == "ask":
            query = self.chance.choice(QUERIES)
            self.asked.append(await person.say(self.sandbox.channel_id, f"!fill {query}"))
            return
        if kind != "give":
            for thumb in THUMBS:
                await person.unreact(reply, thumb)
        if kind != "back":
            thumb = self.chance.choice(THUMBS)
            if self.shown().get((int(reply["id"]), person.id)) not in (None, VALUES[thumb]):
                await person.unreact(reply, THUMBS[thumb == THUMBS[0]])
            await person.react(reply, thumb)

    async def act_often(self, times: int) -> None:
        """Several of these, one after the other."""
        for _ in range(times):
            await self.act()

    def shown(self) -> dict[Vote, int]:
        """The thumbs that stand on Discord."""
        found = {}
        for messages in self.sandbox.world.messages.values():
            for message in messages.values():
                for reaction in message.reactions:
                    for user_id in reaction.giver_ids():
                        if not self.sandbox.world.users[user_id].is_bot:
                            found[message.id, user_id] = VALUES.get(reaction.emoji[0], 0)
        return found

    async def stands_again(self, wire: Wire, ended_at: float, *, due: bool = True) -> Found:
        """Wait until somebody is answered, and the votes are what Discord shows.

        Args:
            wire: the bot that is to do so.
            ended_at: since when nothing is broken any more, by `time.monotonic`.
            due: whether every question that was asked had to be answered.
        """
        async with Person(self.sandbox.url, self.people[0].token) as person:
            await self.answered(person)
        recovery_s = time.monotonic() - ended_at
        lost = await self.lost_votes(wire.app.database)
        return Found(lost_votes=lost, wrong_answers=await self.wrong_answers(due=due), recovery_s=recovery_s)

    async def answered(self, person: Person, *, within_s: float = 60.0) -> None:
        """Ask again and again until there is an answer, as people do."""
        async with asyncio.timeout(within_s):
            while True:
                since = person.mark()
                asked = await person.say(self.sandbox.channel_id, f"!fill {QUERIES[0]}")
                with contextlib.suppress(TimeoutError):
                    await person.wait_for_event(
                        "MESSAGE_CREATE",
                        predicate=lambda body, asked=asked: is_reply_to(body, asked),
                        since=since,
                        timeout_s=2.0,
                    )
                    return

    async def lost_votes(self, database: Database, *, within_s: float = 60.0) -> int:
        """How many votes differ from the thumbs on Discord, once they have had time to agree."""
        differing = 0

        async def agree() -> bool:
            nonlocal differing
            stored, shown = await stored_votes(database), self.shown()
            differing = sum(stored.get(vote) != shown.get(vote) for vote in stored.keys() | shown.keys())
            return not differing

        with contextlib.suppress(TimeoutError):
            await eventually(agree, timeout_s=within_s)
        return differing

    async def wrong_answers(self, *, due: bool) -> int:
        """Questions with two answers, or with none where one was due."""
        wrong = 0
        for asked in self.asked:

            async def is_answered(asked: Json = asked) -> bool:
                return bool(self.answers_to(asked))

            if due:
                with contextlib.suppress(TimeoutError):
                    await eventually(is_answered, timeout_s=30.0)
            count = self.answers_to(asked)
            wrong += count > 1 or (due and count == 0)
        return wrong

    def answers_to(self, asked: Json) -> int:
        """How many replies a question has."""
        messages = self.sandbox.world.messages.get(self.sandbox.channel_id, {}).values()
        return sum((one.reference or {}).get("message_id") == asked["id"] for one in messages)


def is_reply_to(body: Json, asked: Json) -> bool:
    """Whether a message answers a question with a prediction."""
    return (body.get("message_reference") or {}).get("message_id") == asked["id"] and bool(body["embeds"])


async def stored_votes(database: Database) -> dict[Vote, int]:
    """The thumbs that are stored; 0 where one person's votes on a reply disagree."""
    statement = (
        select(predictions.c.message_id, votes.c.voter_id, votes.c.value)
        .join(predictions, predictions.c.id == votes.c.prediction_id)
        .where(votes.c.via == "reaction")
    )
    found: dict[Vote, int] = {}
    async with database.read() as connection:
        for message_id, voter_id, value in await connection.execute(statement):
            found[message_id, voter_id] = value if found.get((message_id, voter_id), value) == value else 0
    return found


@contextlib.asynccontextmanager
async def scene(sandbox: Sandbox, chance: random.Random) -> AsyncIterator[Scene]:
    """Four people with open connections."""
    async with contextlib.AsyncExitStack() as stack:
        people = []
        for number in range(PEOPLE):
            user = add_person(sandbox, f"person-{number}", guild_id=sandbox.guild_id)
            people.append(await stack.enter_async_context(Person(sandbox.url, user.name)))
        yield Scene(sandbox, people, chance)
