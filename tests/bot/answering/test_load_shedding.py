"""More questions than can be answered: everyone is answered or told in time, and Discord refuses nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from discord.utils import snowflake_time
from support.people import Json, Person
from support.sandbox_world import add_channel
from support.wire import Wire, eventually, wired

from bot.answering.in_flight import InFlight
from bot.answering.load_shedding import LoadShedding
from bot.answering.predictor import Prediction, Predictor
from bot.answering.thumb_seeding import MAX_WAITING
from bot.background import Background
from bot.connection.rate_limiter import RateLimiter
from bot.texts import say

IN_TIME_S = 10.0
ADD_REACTION = ("PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")


class Channel:
    """What is sent to it."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, text: str) -> None:
        self.sent.append(text)


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    made = Background()
    yield made
    await made.close()


@pytest.fixture
async def limited(home: Path) -> AsyncIterator[Wire]:
    """A bot under Discord's rate limits."""
    async with wired(home, sandbox_rate_limits=True) as wire:
        yield wire


async def test_those_turned_away_are_told_together_by_channel(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.answering.load_shedding.COLLECT_FOR_S", 0.02)
    shedding, one, many = LoadShedding(background, RateLimiter()), Channel(), Channel()
    for _ in range(3):
        shedding.refuse(many, 1)  # type: ignore[arg-type]
    shedding.refuse(one, 2)  # type: ignore[arg-type]

    async def are_told() -> bool:
        return bool(one.sent and many.sent)

    await eventually(are_told)
    assert one.sent == [say("busy_notice", n=1)]
    assert many.sent == [say("busy_notice", n=3)]
    shedding.refuse(one, 2)  # type: ignore[arg-type]

    async def is_told_again() -> bool:
        return len(one.sent) == 2

    await eventually(is_told_again)


async def test_past_saturation_everyone_is_answered_or_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the wire, with a model that answers nothing until most queries were turned away."""
    monkeypatch.setitem(InFlight.__init__.__kwdefaults__, "max_queries", 4)
    really, may_answer = Predictor.predict, asyncio.Event()

    async def late(predictor: Predictor, text: str) -> Prediction:
        await may_answer.wait()
        return await really(predictor, text)

    monkeypatch.setattr(Predictor, "predict", late)
    async with wired(home) as wire, wire.member() as ann:
        sent = [await ann.say(wire.channel_id, f"!fill shoes are {n} [MASK]") for n in range(20)]
        assert await told_in(wire, ann, {message["id"] for message in sent}, least=16) == 16
        may_answer.set()
        assert await told_in(wire, ann, {message["id"] for message in sent}) == 20
        assert (await wire.ask(ann))["embeds"], "and then it answers again"


async def test_in_a_busy_channel_everyone_knows_in_time(limited: Wire) -> None:
    async with limited.member() as ann, limited.member() as bob:
        asked = [
            await person.say(limited.channel_id, f"!fill shoes are {n} [MASK]")
            for n in range(20)
            for person in (ann, bob)
        ]
        assert await told_in(limited, ann, {message["id"] for message in asked}) == 40
        lateness_s = known_after_s(ann, asked)
    assert max(lateness_s) <= IN_TIME_S
    assert limited.sandbox.rate_limits.refusals <= 3


async def test_the_notice_goes_ahead_of_the_answers_that_wait(limited: Wire) -> None:
    async with limited.member() as ann:
        asked = [await ann.say(limited.channel_id, f"!fill shoes are {n} [MASK]") for n in range(25)]
        await told_in(limited, ann, {message["id"] for message in asked})
        answers = [body for body in replies(ann, asked) if body["embeds"]]
        assert len(answers) > 5
        assert int(notices(ann)[0]["id"]) < int(answers[5]["id"])


async def test_questions_that_cannot_be_answered_are_told_in_time_too(limited: Wire) -> None:
    async with limited.member() as ann:
        asked = [await ann.say(limited.channel_id, f"!fill no blank {n}") for n in range(25)]
        assert await told_in(limited, ann, {message["id"] for message in asked}) == 25
        assert max(known_after_s(ann, asked)) <= IN_TIME_S


async def test_other_channels_are_answered_while_one_is_busy(limited: Wire) -> None:
    other = add_channel(limited.sandbox, "quiet")
    async with limited.member() as ann, limited.member() as bob:
        asked = [await ann.say(limited.channel_id, f"!fill shoes are {n} [MASK]") for n in range(25)]
        reply = await limited.say(bob, "!fill shoes are [MASK]", channel_id=other.id)
        answered = [body for body in replies(ann, asked) if body["embeds"]]
        assert reply["embeds"]
        assert len(answered) <= 5


async def test_thumbs_are_left_out_and_the_menus_named_where_many_wait(limited: Wire) -> None:
    async with limited.member() as ann:
        for n in range(20):
            await ann.slash(limited.channel_id, "fill", text=f"shoes are {n} [MASK]")

        async def answered() -> list[Json]:
            embedded = [
                body for name, body in ann.events if name.startswith("MESSAGE_") and body.get("embeds")
            ]
            found = {body["id"]: body for body in embedded}
            return list(found.values()) if len(found) == 20 else []

        footers = [body["embeds"][0]["footer"]["text"] for body in await eventually(answered)]
        promised = sum("👍" in footer for footer in footers)
        assert sum(say("prediction.menus_hint") in footer for footer in footers) == 20 - promised > 0

        async def are_seeded() -> bool:
            return limited.sandbox.rate_limits.requests[ADD_REACTION] >= 2 * promised

        await eventually(are_seeded)
        assert limited.sandbox.rate_limits.requests[ADD_REACTION] == 2 * promised
        assert promised >= MAX_WAITING


async def test_many_channels_stay_within_the_limit_of_all_requests(limited: Wire) -> None:
    channels = [add_channel(limited.sandbox, f"c-{n}") for n in range(30)]
    async with limited.member() as ann:
        asked = [await ann.say(channel.id, "!fill shoes are [MASK]") for channel in channels]
        assert await told_in(limited, ann, {message["id"] for message in asked}) == 30

        async def are_seeded() -> bool:
            return limited.sandbox.rate_limits.requests[ADD_REACTION] >= 60

        await eventually(are_seeded)
    assert limited.sandbox.rate_limits.refusals <= 10  # a few where this machine stalls, of 90 requests


async def test_the_last_reply_of_a_window_is_stored_at_once(limited: Wire) -> None:
    async with limited.member() as ann:
        sent = [await limited.say(ann, f"!fill shoes are {n} [MASK]") for n in range(5)]
        async with asyncio.timeout(3):
            assert (await limited.row(sent[-1]))["message_id"] == int(sent[-1]["id"])


def notices(person: Person) -> list[Json]:
    return [b for name, b in person.events if name == "MESSAGE_CREATE" and "more question" in b["content"]]


def replies(person: Person, asked: list[Json]) -> list[Json]:
    """The replies to these messages, in order."""
    ids = {message["id"] for message in asked}
    return [
        body
        for name, body in person.events
        if name == "MESSAGE_CREATE" and (body.get("message_reference") or {}).get("message_id") in ids
    ]


def known_after_s(person: Person, asked: list[Json]) -> list[float]:
    """For each message: seconds until its reply, or until the first notice after it."""
    replied = {body["message_reference"]["message_id"]: body for body in replies(person, asked)}
    found = []
    for message in asked:
        later = [one for one in notices(person) if int(one["id"]) > int(message["id"])]
        known = replied.get(message["id"]) or later[0]
        found.append((snowflake_time(int(known["id"])) - snowflake_time(int(message["id"]))).total_seconds())
    return found


async def told_in(wire: Wire, person: Person, asked: set[str], *, least: int | None = None) -> int:
    """How many of those were answered, or told that they are not; waits for `least` or else for all."""

    async def told() -> int:
        heard = [body for name, body in person.events if name == "MESSAGE_CREATE"]
        replies = sum((body.get("message_reference") or {}).get("message_id") in asked for body in heard)
        notices = [body["content"].split()[0] for body in heard if "more question" in body["content"]]
        number = replies + sum(1 if word == "One" else int(word) for word in notices)
        return number if number >= (least or len(asked)) else 0

    return int(await eventually(told))
