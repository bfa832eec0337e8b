"""`!denied` and `!preferred` over the wire: in force from the next answer on, until that is ended."""

import pytest
from support.ballots import NOON
from support.people import Json, Person
from support.wire import Wire, eventually

from bot.answering.predictor import Predictor
from bot.answering.team_words import TeamWords
from bot.features.team_words import words_embed
from storage.runs import last_champion
from storage.team_words import change_word
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
        assert listed["footer"]["text"].startswith(f"{len(denied_words())} words of the shipped list")
        assert "is already denied" in (await wire.say(ada, f"!denied add {first}"))["content"]
        told = (await wire.say(ada, f"!denied remove {first}"))["content"]
        assert told == f"**{first}** is allowed again, from the next answer on."
        assert "was not denied" in (await wire.say(ada, f"!denied remove {first}"))["content"]
    assert first in await offered(wire, await wire.ask(ann, TEXT))
    assert await offered(wire, await wire.ask(ann, TWO)) == of_two


async def test_what_is_no_word_and_what_is_shipped_is_said(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        shipped = min(denied_words())
        for action in ("add", "remove"):
            assert "shipped list" in (await wire.say(ada, f"!denied {action} {shipped}"))["content"]
        assert "is not a single word" in (await wire.say(ada, "!denied add h3llo"))["content"]
        told = (await wire.say(ada, "!denied add"))["content"]
        assert told == "Which word? Write `!denied add WORD`, with up to 8 words."
        told = (await wire.say(ada, "!denied remove xylographic"))["content"]
        assert told == "**xylographic** was not denied from chat."


async def test_a_change_in_another_process_is_noticed(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.answering.team_words.LOOK_EVERY_S", 0.02)
    rating = wire.app.bot.get_cog("TeamWords")
    team: TeamWords = rating._team_words  # type: ignore[union-attr]
    first = (await wire.row(await wire.ask(ann, TEXT)))["candidates"][0]["word"]
    watching = wire.app.bot.loop.create_task(team.watch())
    await change_word(wire.app.database, "denied", first, is_added=True, by=1, champion="v0001", now=NOON)

    async def is_noticed() -> bool:
        return wire.app.follower.predictor.is_denied(first)

    await eventually(is_noticed)
    watching.cancel()
    assert first not in await offered(wire, await wire.ask(ann, TEXT))
    await change_word(wire.app.database, "denied", first, is_added=False, by=1, champion="v0001", now=NOON)
    await team.load()


async def test_the_record_names_the_champion_while_another_version_still_answers(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "version", property(lambda _: "v0099"))
    async with wire.person("ada") as ada:
        await wire.say(ada, "!denied add xylographic")
        assert await last_champion(wire.app.database) == wire.app.registry.champion() == "v0001"
        await wire.say(ada, "!denied remove xylographic")


async def test_without_words_the_list_says_so() -> None:
    assert words_embed([], kind="denied").description == "No word was denied from chat."
    assert words_embed([], kind="preferred").description == "No word is preferred."


PRAISE = "Nike shoes are very [MASK]"


def lines_of(reply: Json) -> list[str]:
    lines: list[str] = reply["embeds"][0]["fields"][0]["value"].split("\n")
    return lines


async def test_a_preferred_word_moves_up_at_once_until_that_is_ended(wire: Wire, ann: Person) -> None:
    before = (await wire.row(await wire.ask(ann, PRAISE)))["candidates"]
    last = before[-1]["word"]
    async with wire.person("ada") as ada:
        told = (await wire.say(ada, f"!preferred add {last.upper()}, xylographic"))["content"].split("\n")
        assert told[0].startswith(f"**{last}** is preferred: from the next answer on it moves up")
        assert (
            told[1]
            == "**xylographic** is preferred, but v0001 does not know the word, so no answer shows it yet."
        )
        reply = await wire.ask(ann, PRAISE)
        (line,) = [one for one in lines_of(reply) if "★" in one]
        assert f"{last}" in line
        assert "★ preferred by your team" in reply["embeds"][0]["footer"]["text"]
        after = (await wire.row(reply))["candidates"]
        place = [one["word"] for one in after].index(last)
        assert place < len(before) - 1
        assert after[place]["adjusted"]  # such a reply compares no versions
        assert after[place]["score"] == before[-1]["score"]  # the bare model's
        listed = (await wire.say(ada, "!preferred"))["embeds"][0]
        assert [one.split(" · ")[0] for one in listed["description"].strip().split("\n")] == [
            f"**{one}**" for one in sorted((last, "xylographic"))
        ]
        words = (await wire.say(ann, "!words"))["embeds"][0]["fields"]
        assert f"★ {last}" in next(one["value"] for one in words if one["name"] == "Preferred by an admin")
        why = (await wire.say(ann, f"!why {last} in {PRAISE}"))["embeds"][0]["fields"][0]["value"]
        assert "★ An admin prefers this word" in why
        assert "is already preferred" in (await wire.say(ada, f"!preferred add {last}"))["content"]
        told = (await wire.say(ada, f"!preferred remove {last} xylographic"))["content"]
        assert told.startswith(f"**{last}** is no longer preferred")
        assert (await wire.say(ada, f"!preferred remove {last}"))[
            "content"
        ] == f"**{last}** was not preferred."
    assert (await wire.row(await wire.ask(ann, PRAISE)))["candidates"][-1]["word"] == last


async def test_a_denied_word_cannot_be_preferred(wire: Wire, ann: Person) -> None:
    word = (await wire.row(await wire.ask(ann, PRAISE)))["candidates"][-1]["word"]
    async with wire.person("ada") as ada:
        await wire.say(ada, f"!preferred add {word}")
        told = (await wire.say(ada, f"!denied add {word}"))["content"]
        assert told.endswith("It is no longer preferred.")
        assert "★" not in str(await wire.ask(ann, PRAISE))
        told = (await wire.say(ada, f"!preferred add {word}"))["content"]
        assert told == (
            f"**{word}** is denied, so it cannot be preferred. Allow it first: `!denied remove {word}`."
        )
        assert "shipped list" in (await wire.say(ada, f"!preferred add {min(denied_words())}"))["content"]
        await wire.say(ada, f"!denied remove {word}")
