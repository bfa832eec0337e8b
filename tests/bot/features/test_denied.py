"""`!denied` over the wire: a denied word is gone from the next answer on, until it is allowed again."""

import pytest
from support.ballots import NOON
from support.people import Json, Person
from support.wire import Wire, eventually

from bot.answering.denied_words import DeniedWords
from bot.answering.predictor import Predictor
from bot.features.denied import denied_embed
from storage.denied_words import change_denied
from storage.runs import last_champion
from training.inference.vocabulary import denied_words

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = "the denied boots are [MASK]"
TWO = "the [MASK] boots are [MASK]"


async def offered(wire: Wire, reply: Json) -> set[str]:
    return {one["word"] for one in (await wire.row(reply))["candidates"]}


async def test_a_denied_word_is_gone_at_once_and_comes_back(wire: Wire, ann: Person) -> None:
    first = (await wire.row(await wire.ask(ann, TEXT)))["candidates"][0]["word"]
    of_two = await offered(wire, await wire.ask(ann, TWO))
    async with wire.person("ada") as ada:
        assert (
            "is denied: no answer offers it"
            in (await wire.say(ada, f"!denied add {first.upper()}"))["content"]
        )
        assert first not in await offered(wire, await wire.ask(ann, TEXT))
        assert first not in await offered(wire, await wire.ask(ann, TWO))
        listed = (await wire.say(ada, "!denied"))["embeds"][0]
        assert listed["description"].startswith(f"**{first}** · <t:")
        assert listed["footer"]["text"].startswith(f"{len(set(denied_words()))} words of the shipped list")
        assert "is denied already" in (await wire.say(ada, f"!denied add {first}"))["content"]
        told = (await wire.say(ada, f"!denied remove {first}"))["content"]
        assert told == f"**{first}** is allowed again, from the next answer on."
        assert "was not denied" in (await wire.say(ada, f"!denied remove {first}"))["content"]
    assert first in await offered(wire, await wire.ask(ann, TEXT))
    assert await offered(wire, await wire.ask(ann, TWO)) == of_two


async def test_what_is_no_word_and_what_is_shipped_is_said(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        shipped = denied_words()[0]
        for action in ("add", "remove"):
            assert "shipped list" in (await wire.say(ada, f"!denied {action} {shipped}"))["content"]
        assert "is not a single word" in (await wire.say(ada, "!denied add h3llo"))["content"]
        told = (await wire.say(ada, "!denied add"))["content"]
        assert told == "Which word? Write `!denied add WORD`."
        told = (await wire.say(ada, "!denied remove xylographic"))["content"]
        assert told == "**xylographic** was not denied from chat."


async def test_a_change_in_another_process_is_noticed(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.answering.denied_words.LOOK_EVERY_S", 0.02)
    rating = wire.app.bot.get_cog("Denied")
    denied: DeniedWords = rating._denied  # type: ignore[union-attr]
    first = (await wire.row(await wire.ask(ann, TEXT)))["candidates"][0]["word"]
    watching = wire.app.bot.loop.create_task(denied.watch())
    await change_denied(wire.app.database, first, is_denied=True, by=1, champion="v0001", now=NOON)

    async def is_noticed() -> bool:
        return wire.app.follower.predictor.is_denied(first)

    await eventually(is_noticed)
    watching.cancel()
    assert first not in await offered(wire, await wire.ask(ann, TEXT))
    await change_denied(wire.app.database, first, is_denied=False, by=1, champion="v0001", now=NOON)
    await denied.load()


async def test_the_record_names_the_champion_while_another_version_still_answers(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "version", property(lambda _: "v0099"))
    async with wire.person("ada") as ada:
        await wire.say(ada, "!denied add xylographic")
        assert await last_champion(wire.app.database) == wire.app.registry.champion() == "v0001"
        await wire.say(ada, "!denied remove xylographic")


async def test_without_words_the_list_says_so() -> None:
    assert denied_embed([], shipped=3).description == "No word was denied from chat."
