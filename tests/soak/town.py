"""The people of the soak: they ask and vote at a steady rate, and remember what they were told.

What they do is put into the sandbox's world, in this process, as if its server had just got it; the bot hears
and answers over HTTP and WebSocket. Nobody touches the same votes again within `NOT_AGAIN_S`, which is longer
than any delayed event: what people meant is never in doubt.
"""

import asyncio
import random
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from soak.ledger import Attempt, Ledger, Owner
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel, add_person

from bot.sandbox.interactions.requests import expire_interaction, open_interaction
from bot.sandbox.messages.payloads import MessagePayload
from bot.sandbox.messages.posting import post_message
from bot.sandbox.messages.reactions import add_reaction, remove_reaction
from bot.sandbox.server import Sandbox
from bot.sandbox.world.state import Event, Json, Message
from bot.texts import say
from training.corpus.generator import generate

PEOPLE, CHANNELS = 60, 12
HOT, FRESH_SHARE = 300, 0.25  # sentences asked again and again; the share of questions that are new
SEVERAL_SHARE = 0.12  # of two or three masks
TOUCH_AGE_S, NOT_AGAIN_S = 60.0, 10.0  # the bot reads thumbs back on the newest 2,000 replies: 100 s of them
RECENT_MEAN = 200  # how many replies ago the one voted on was, on average: ten seconds at 20 a second
INTERACTION_S = 3.0
TRIES = 8  # to find votes that nobody has touched just now
EMOJI = {1: "👍", -1: "👎"}
FOOTER = re.compile(r"(v\d{4,}) · #(\d+)")
TOLD_LATER = re.compile(r"(One|\d+) more questions? w")


@dataclass(slots=True)
class Ask:
    """One query on its way; times in seconds of the run."""

    asked_s: float
    masks: int
    is_heard: bool  # whether the bot had a session when it was asked
    message_id: str
    replied_s: float | None = None
    version: str = ""
    prediction_id: int = 0
    told: str = ""  # instead of an answer
    is_lost: bool = False  # on purpose, on its way to the bot

    @property
    def wait_ms(self) -> float:
        assert self.replied_s is not None
        return (self.replied_s - self.asked_s) * 1e3


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that can be voted on."""

    at_s: float
    channel_id: int
    message_id: int
    prediction_id: int
    menus: dict[str, list[str]]  # custom id → values


class Town:
    """Everyone, and all they know."""

    def __init__(
        self,
        sandbox: Sandbox,
        chance: random.Random,
        *,
        now_s: Callable[[], float],
        guild_id: int = Sandbox.guild_id,
        name: str = "soak",
    ) -> None:
        """Move in: people and channels are added to a server, and the sandbox's events are overheard."""
        self._sandbox, self._chance, self._now_s = sandbox, chance, now_s
        self._world, self._gateway = sandbox.world, sandbox.gateway
        self._people = [add_person(sandbox, f"{name}-{n}", guild_id=guild_id) for n in range(PEOPLE)]
        self._channels = [add_channel(sandbox, f"{name}-{n}", guild_id=guild_id) for n in range(CHANNELS)]
        self._sentences = _sentences(chance)
        self.ledger = Ledger()
        self.asks: list[Ask] = []
        self.masks: dict[int, int] = {}  # by prediction
        self.channel_of: dict[int, int] = {}
        self.told_together = self.twice = self.cast = 0
        self.confirmed = self.failed = self.refused = 0
        self.thumb_at: dict[Owner, float] = {}
        self._waiting: dict[str, Ask] = {}
        self._answered: set[str] = set()
        self._heard: set[str] = set()  # messages of the bot: each is told once to everybody who sees it
        self._replies: deque[Reply] = deque(maxlen=12_000)
        self._thumbs: deque[tuple[Reply, int]] = deque(maxlen=2000)
        self._attempts: dict[int, Attempt] = {}
        self._touched: dict[Owner, float] = {}
        self._dispatch, self._for_event = self._gateway.dispatch, faults_of(sandbox).for_event
        self._gateway.dispatch = self._overhear  # type: ignore[method-assign]
        faults_of(sandbox).for_event = self._on_its_way  # type: ignore[method-assign]

    @property
    def waiting(self) -> int:
        """Questions without an answer so far, of the last minute."""
        since = self._now_s() - 60
        return sum(ask.asked_s > since for ask in self._waiting.values())

    async def live(self, rate: float, *, until_s: float) -> None:
        """Ask and vote so many times a second each, whatever the bot does."""
        began, number = self._now_s(), 0
        while (now := self._now_s()) < until_s:
            if (wait := began + number / rate - now) > 0:
                await asyncio.sleep(wait)  # the pace of questions and votes
            elif number % 10 == 0:
                await asyncio.sleep(0)  # other tasks get their turn, even behind schedule
            self.ask()
            self.vote()
            number += 1

    async def settled(self, *, within_s: float) -> None:
        """Wait until no answer and no confirmation is due any more."""
        ends = self._now_s() + within_s
        while (self.waiting or self._attempts) and self._now_s() < ends:  # noqa: ASYNC110  no event says it
            await asyncio.sleep(0.1)

    def ask(self) -> None:
        """Somebody asks something somewhere."""
        query = next(self._sentences)
        person, channel = self._chance.choice(self._people), self._chance.choice(self._channels)
        message, events = post_message(
            self._world, channel, author=person, payload=MessagePayload(content=f"!fill {query}")
        )
        is_heard = bool(faults_of(self._sandbox).bot_sessions())
        ask = Ask(self._now_s(), query.count("[MASK]"), is_heard, str(message.id))
        self.asks.append(ask)
        self._waiting[ask.message_id] = ask
        self._dispatch(events)

    def vote(self) -> None:
        """Somebody gives, changes or takes back a thumb, or chooses in a menu."""
        for _ in range(TRIES):
            if self._voted():
                return

    def _voted(self) -> bool:
        kind = self._chance.choices(("give", "change", "take", "menu"), (66, 12, 8, 14))[0]
        if kind in ("change", "take") and self._thumbs:
            reply, person = self._chance.choice(self._thumbs)
        elif self._replies:
            back = min(int(self._chance.expovariate(1 / RECENT_MEAN)), len(self._replies) - 1)
            reply, person = self._replies[-1 - back], self._chance.choice(self._people).id
        else:
            return False
        owner, now = (reply.prediction_id, person), self._now_s()
        message = self._world.messages[reply.channel_id].get(reply.message_id)
        is_again = now - self._touched.get(owner, -NOT_AGAIN_S) < NOT_AGAIN_S
        if message is None or is_again or now - reply.at_s > TOUCH_AGE_S:
            return False
        self._touched[owner] = now
        self.cast += 1
        if kind == "menu":
            self._choose(reply, person)
        else:
            self._thumb(kind, reply, message, person)
        return True

    def _thumb(self, kind: str, reply: Reply, message: Message, person: int) -> None:
        owner = (reply.prediction_id, person)
        value = self.ledger.thumbs.pop(owner, None)
        self.thumb_at[owner] = self._now_s()
        if value is not None:
            self._dispatch(remove_reaction(self._world, message, emoji=EMOJI[value], user_id=person))
            message = self._world.messages[reply.channel_id][reply.message_id]
        if kind != "take":
            value = self._chance.choice((1, 1, -1)) if value is None else -value
            self.ledger.thumbs[owner] = value
            self._thumbs.append((reply, person))
            self._dispatch(add_reaction(self._world, message, emoji=EMOJI[value], user_id=person))

    def _choose(self, reply: Reply, person: int) -> None:
        custom_id = self._chance.choice(sorted(reply.menus))
        values = self._chance.sample(reply.menus[custom_id], self._chance.choice((0, 1, 1, 2)))
        interaction, events = open_interaction(
            self._world,
            person,
            {
                "type": 3,
                "channel_id": str(reply.channel_id),
                "message_id": str(reply.message_id),
                "data": {"component_type": 3, "custom_id": custom_id, "values": values},
            },
        )
        words = [(int(mask), word) for mask, word in (one.split(":", 1) for one in values)]
        sign = 1 if custom_id.startswith("words:fit") else -1
        owner = (reply.prediction_id, person)
        drawn_at = self._world.messages[reply.channel_id][reply.message_id].edited_at
        self._attempts[interaction.id] = self.ledger.attempt(owner, sign, words, drawn_at)
        self._dispatch(events)
        asyncio.get_running_loop().call_later(INTERACTION_S, self._expire, interaction.id)

    def _expire(self, interaction_id: int) -> None:
        self._dispatch(expire_interaction(self._world, interaction_id))
        if self._attempts.pop(interaction_id, None):
            self.failed += 1

    def _overhear(self, events: Iterable[Event]) -> None:
        """Note every message of the bot on its way to the people."""
        events = list(events)
        for event in events:
            if event.name == "MESSAGE_CREATE" and event.data["author"]["id"] == str(self._world.bot_user_id):
                self._hear(event.data)
        self._dispatch(events)

    def _hear(self, body: Json) -> None:
        if body["id"] in self._heard:
            return
        self._heard.add(body["id"])
        if metadata := body.get("interaction_metadata"):
            self._hear_confirmation(int(metadata["id"]), body)
        elif told := TOLD_LATER.match(body["content"]):
            self.told_together += 1 if told[1] == "One" else int(told[1])
        asked = (body.get("message_reference") or {}).get("message_id", "")
        self.twice += asked in self._answered
        if (ask := self._waiting.pop(asked, None)) is None:
            return
        self._answered.add(asked)
        ask.replied_s = self._now_s()
        footer = FOOTER.search(body["embeds"][0]["footer"]["text"]) if body["embeds"] else None
        if footer is None:
            ask.told = body["content"] or "an embed without a version"
            return
        ask.version, ask.prediction_id = footer[1], int(footer[2])
        self.masks[ask.prediction_id] = ask.masks
        menus = {
            one["custom_id"]: [option["value"] for option in one["options"]]
            for row in body["components"]
            for one in row["components"]
            if "options" in one
        }
        place = int(body["channel_id"]), int(body["id"])
        self._replies.append(Reply(ask.replied_s, *place, ask.prediction_id, menus))

    def _hear_confirmation(self, interaction_id: int, body: Json) -> None:
        attempt = self._attempts.pop(interaction_id, None)
        if attempt is None:
            return
        if body["components"] or body["content"] == say("rating.nothing_stands"):
            self.ledger.confirm(attempt)
            self.confirmed += 1
        else:
            self.refused += 1

    def _on_its_way(self, name: str, body: Json) -> list[tuple[float, str, Json]]:
        """Note the questions that are lost on purpose."""
        sent = self._for_event(name, body)
        held = faults_of(self._sandbox)._held
        if not sent and (held is None or held[1] is not body) and name == "MESSAGE_CREATE":
            ask = self._waiting.get(body["id"])
            if ask is not None:
                ask.is_lost = True
        return sent


def _sentences(chance: random.Random) -> Iterator[str]:
    """Questions for ever: most of them asked before, some new, some of several masks."""
    seed = chance.randrange(1 << 30)
    hot = [one.query for one in generate(4 * HOT, seed=seed) if one.focus][:HOT]
    hot = [_with_more_masks(query, chance) for query in hot]
    while True:
        seed += 1
        for fresh in [one.query for one in generate(500, seed=seed) if one.focus]:
            while chance.random() > FRESH_SHARE:
                yield chance.choice(hot)
            yield _with_more_masks(fresh, chance)


def _with_more_masks(query: str, chance: random.Random) -> str:
    if query.count("[MASK]") > 1 or chance.random() > SEVERAL_SHARE:
        return query
    more = chance.choice(("and they are [MASK]", "and they are [MASK] and [MASK]"))
    return f"{query.rstrip('.!? ')} {more}."
