"""Past what can be answered: everyone is answered or told, and nobody's reply costs the others theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from people import Person
from wire import Wire, eventually, wired

from bot.background import Background
from bot.errors import BusyError
from bot.fill import crowd as crowd_module
from bot.fill.crowd import Crowd
from bot.fill.predictor import Prediction, Predictor


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


async def test_so_many_are_answered_at_once_and_no_more(background: Background) -> None:
    crowd = Crowd(background, max_answering=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(crowd.answering())
        with pytest.raises(BusyError), crowd.answering():
            pytest.fail("a third was let in")
    with crowd.answering():  # who is done leaves room, also after an error
        pass
    with pytest.raises(ZeroDivisionError), crowd.answering():
        raise ZeroDivisionError
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(crowd.answering())


async def test_only_the_first_few_of_a_second_get_a_reply_each(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd, now = Crowd(background), 100.0
    monkeypatch.setattr(crowd_module.time, "monotonic", lambda: now)
    told = [crowd.may_reply() for _ in range(50)]
    assert told == [True] * crowd_module.REPLIES_A_S + [False] * (50 - crowd_module.REPLIES_A_S)
    now = 101.2
    assert crowd.may_reply()


async def test_the_others_are_told_together_by_channel(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd_module, "NOTICE_EVERY_S", 0.02)
    crowd, one, many = Crowd(background), Channel(), Channel()
    for _ in range(3):
        crowd.tell_later(many)  # type: ignore[arg-type]
    crowd.tell_later(one)  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    assert one.sent == [f"One more question was not answered. {BusyError()}"]
    assert many.sent == [f"3 more questions were not answered. {BusyError()}"]
    crowd.tell_later(one)  # type: ignore[arg-type]
    await asyncio.sleep(0.1)
    assert len(one.sent) == 2


async def test_past_saturation_everyone_is_answered_or_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the wire, with a model that takes its time."""
    monkeypatch.setattr(crowd_module, "REPLIES_A_S", 2)
    monkeypatch.setattr(Crowd.__init__, "__kwdefaults__", {"max_answering": 4})
    really = Predictor.predict

    async def slowly(predictor: Predictor, text: str) -> Prediction:
        await asyncio.sleep(0.5)
        return await really(predictor, text)

    monkeypatch.setattr(Predictor, "predict", slowly)
    async with wired(home) as wire, wire.member() as ann:
        sent = [await ann.say(wire.channel_id, f"!fill shoes are {n} [MASK]") for n in range(20)]
        assert await told_in(wire, ann, {message["id"] for message in sent}) == 20
        assert (await wire.ask(ann))["embeds"], "and then it answers again"


async def told_in(wire: Wire, person: Person, asked: set[str]) -> int:
    """How many of those were answered, or told that they are not."""

    async def told() -> int:
        heard = [body for name, body in person.events if name == "MESSAGE_CREATE"]
        replies = sum((body.get("message_reference") or {}).get("message_id") in asked for body in heard)
        notices = [body["content"].split()[0] for body in heard if "more question" in body["content"]]
        number = replies + sum(1 if word == "One" else int(word) for word in notices)
        return number if number >= len(asked) else 0

    return int(await eventually(told))
