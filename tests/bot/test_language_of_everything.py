"""A German bot as people run it: nothing that it sends is in English, whatever happens.

Every text that was sent has to consist of German texts of `bot/texts` and of names: words of the model,
versions, commands, settings, paths. What is left over after these are taken out is English or has no text.
"""

import dataclasses
import re
import shutil
import string
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from support.gate_measurements import PASSING, learnt, skills
from support.people import Json, Person
from support.wire import EPHEMERAL, QUERY, Pretend, Wire, tells, wired

from bot.embeds.replies import MAX_FIELD
from bot.features.quiz.examples import example_queries
from bot.sandbox.server import Sandbox
from bot.texts import texts_of
from storage import runs as run_records
from storage.errors import DatabaseLostError
from storage.sentences import Sentence, TranslatableError, to_json
from training.errors import (
    BehaviourError,
    CorruptVersionError,
    OutOfMemoryError,
    RegistryUnwritableError,
    RunCancelledError,
)
from training.evaluation import gate
from training.evaluation.drift import Drift
from training.evaluation.judged_words import Contradictions

pytestmark = pytest.mark.asyncio(loop_scope="module")
MENU, PLACE = 3, "\0"
LEFT, RIGHT = r"(?<!\w)", r"(?!\w)"
REPORT = {
    "votes": 3,
    "voters": 2,
    "judgements": 3,
    "rejected": {"no mask": 1, "link or mention": 2},
    "added_words": 2,
}
TEST = Sentence(
    '"{word}" is number {place} and {must} be in the top {top}',
    word="soft",
    place=7,
    must=Sentence("must not"),
    top=3,
)
UNCHANGED = learnt(wanted=[(8, 8)], unwanted=[(2, 2)])
FAILING: tuple[dict[str, Any], ...] = (
    {"learnt": UNCHANGED, "contradictions": Contradictions(4, 4)},
    {"learnt": learnt(wanted=[(1, 1), (2, 2)], unwanted=[(20, 20)])},
    {"learnt": learnt(wanted=[(3, 19)], unwanted=[(1, 9)])},
    {
        "challenger_skills": skills(
            control=0.1, retention=0.1, praise=0.1, pseudo_perplexity=99.0, latency_ratio=99.0
        )
    },
    {
        "drift": Drift(9.0, 0.1, masks=9),
        "denied_offered": ("soft",),
        "held_out": gate.HeldOut(40, (-1.0,) * 40),
    },
    {"behaviour": gate.Behaviour(9, 2, (TEST,) * 5), "was_rolled_back": True},
    {"behaviour": gate.Behaviour(9, 2, set_aside=("Ada",)), "learnt": UNCHANGED},
    {"drift": None, "behaviour": gate.Behaviour(0, 0), "held_out": gate.HeldOut(2), "learnt": UNCHANGED},
)
NAMES = {
    *(
        "ada",
        "ben",
        "cleo",
        "support",
        "reports",
        "soft",
        "shoes",
        "tiny",
        "stop",
        "domain",
        "full",
        "timeout",
    ),
    *QUERY.split(),
    *(word for query in example_queries() for word in re.findall(r"\w+", query)),
    *texts_of("de")["commands"],
}
# In the middle of German texts: code, links, settings, units, technical terms.
TERMS = re.compile(
    r"`[^`]*`|<t:\d+:\w>|<[@#]\d+>|https?://\S+|\S*/\S*|FILLBOT_\w+|\bv\d{4}\b|\[MASK\]|\bhit@10\b|"
    r"model\.onnx|\S+ (?=· (?:< )?[\d,]+\s%)"  # a word of the model with its share
)


def said(entry: object) -> Iterator[str]:
    if isinstance(entry, Mapping):
        for inner in entry.values():
            yield from said(inner)
    else:
        yield str(entry)


def literals(language: str) -> set[str]:
    """What stands between placeholders and names in the texts of a language."""
    groups = (entry for group, entry in texts_of(language).items() if group not in ("example", "sentence"))
    parts: set[str] = set()
    for text in (text for group in groups for text in said(group)):
        plain = PLACE.join(part for part, *_ in string.Formatter().parse(text))
        parts |= {part.strip() for part in TERMS.sub(PLACE, plain.replace("*", "")).split(PLACE)}
    return parts - {""}


GERMAN = re.compile(
    "|".join(
        rf"{LEFT if part[0].isalnum() else ''}{re.escape(part)}{RIGHT if part[-1].isalnum() else ''}"
        for part in sorted(literals("de"), key=len, reverse=True)
        if any(char.isalpha() for char in part)
    ),
    re.IGNORECASE,
)


def texts_in(message: Json) -> Iterator[str]:
    """Everything that people read of a message, but for words to choose from."""
    yield message.get("content") or ""
    for embed in message.get("embeds", ()):
        yield from (embed.get("title") or "", embed.get("description") or "")
        yield (embed.get("footer") or {}).get("text", "")
        for field in embed.get("fields", ()):
            yield from (field["name"], field["value"])
    for row in message.get("components", ()):
        for part in row.get("components", ()):
            yield from (part.get("label") or "", part.get("placeholder") or "")


def words_in(message: Json) -> Iterator[str]:
    """The words of the model that a message offers in its menus."""
    for row in message.get("components", ()):
        for part in row.get("components", ()):
            yield from (option["label"] for option in part.get("options", ()))


def left_over(text: str, *, names: set[str]) -> str:
    """What is neither German nor a name. The last line of a field that was cut is left out."""
    if len(text) == MAX_FIELD:
        text = text.rpartition("\n")[0]
    text = GERMAN.sub(" ", TERMS.sub(" ", text.replace("\\", "").replace("*", "")))
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text, flags=re.IGNORECASE)
    return " ".join(re.findall(r"[^\W\d_]{2,}", text))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A bot that speaks German."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with wired(home, language="de") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def ada(wire: Wire) -> AsyncIterator[Person]:
    """The admin. Nothing that the bot sends her during the test is in English."""
    async with wire.person("ada") as person:
        yield person
        sent = [body for kind, body in person.events if kind in ("MESSAGE_CREATE", "MESSAGE_UPDATE")]
    bots = [body for body in sent if body.get("author", {}).get("id") == str(Sandbox.bot_user_id)]
    assert bots
    names = {word for body in bots for word in words_in(body)} | NAMES
    texts = {text for body in bots for text in texts_in(body) if text}
    assert {text: found for text in texts if (found := left_over(text, names=names))} == {}


async def ended(
    wire: Wire,
    ada: Person,
    pretend: Pretend,
    status: run_records.Status,
    what: str | TranslatableError,
    **columns: Any,
) -> Json:
    """Let a run end so, as the training process tells it and stores it. Returns the verdict."""
    now = datetime.now(UTC)
    run_id = await run_records.open_run(wire.app.database, "retrain", started_at=now, champion="v0001")
    await run_records.finish_run(wire.app.database, run_id, status, finished_at=now, **columns)
    line = {"sentence": str(what), "said": to_json(what)}
    pretend(tells(event="opened", run_id=run_id), tells(event="finished", **line))
    message = await wire.say(ada, "!retrain")
    return await ada.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and bool(body["embeds"])
    )


@pytest.mark.parametrize(
    "text",
    [
        *("help", "help quiz", "help nothing", "model", "versions", "report", "report v0002", "report v0099"),
        *("stats", "why soft Nike shoes are very [MASK]", "compare Nike shoes are very [MASK]", "quiz"),
        *("quiz stop", "mydata", "export", "import", "rollback v0099", "rollback v0003", "resume"),
        *("optout", "optout", "optin", "optin"),
        *("fill", "fill shoes", "fill [MASK]", "fill" + " shoes" * 80 + " [MASK]"),
        "fill" + " [MASK] shoes" * 6,
    ],
)
async def test_a_command_is_answered_in_the_language(wire: Wire, ada: Person, text: str) -> None:
    assert await wire.say(ada, f"!{text}")


async def test_a_question_and_its_votes_are_answered_in_the_language(wire: Wire, ada: Person) -> None:
    reply = await wire.ask(ada)
    await ada.react(reply, "👎")
    await wire.until_votes(reply, (ada, -1))
    rated = await ada.message(reply)
    menu = next(part for row in rated["components"] for part in row["components"] if part["type"] == MENU)
    since = ada.mark()
    await ada.select(rated, menu["custom_id"], [menu["options"][-1]["value"]])
    await ada.wait_for_message(lambda body: bool(body.get("flags", 0) & EPHEMERAL), since=since)
    await wire.say(ada, "!why " + menu["options"][0]["label"] + f" {QUERY}")
    await wire.say(ada, "!stats")


async def test_a_promoted_run_is_told_in_the_language(wire: Wire, ada: Person, pretend: Pretend) -> None:
    verdict, said = gate.decide(PASSING), Sentence("{version} is the new champion.", version="v0002")
    columns = {"verdict": verdict.to_json(), "report": REPORT}
    (embed,) = (await ended(wire, ada, pretend, "promoted", said, **columns))["embeds"]
    assert " antwortet jetzt. " in embed["description"]
    await wire.say(ada, "!report")


@pytest.mark.parametrize("measured", FAILING, ids=range(len(FAILING)))
async def test_a_rejected_run_is_told_in_the_language(
    wire: Wire, ada: Person, pretend: Pretend, measured: dict[str, Any]
) -> None:
    verdict = gate.decide(dataclasses.replace(PASSING, **measured))
    template = "{version} was not promoted: {reasons:; }."
    said = Sentence(template, version="v0003", reasons=verdict.failures)
    assert verdict.failures
    columns = {"verdict": verdict.to_json(), "report": REPORT}
    (embed,) = (await ended(wire, ada, pretend, "rejected", said, **columns))["embeds"]
    assert embed["description"].startswith("v0003 wurde nicht übernommen: ")
    await wire.say(ada, "!report")


@pytest.mark.parametrize(
    "error",
    [
        CorruptVersionError("v0001", Sentence("{name} cannot be read", name="model.onnx")),
        BehaviourError(Path("/home/behaviour.yaml"), Sentence("it contains no tests")),
        RegistryUnwritableError(Path("/home/models"), "full"),
        DatabaseLostError("db/fillbot", "timeout", is_rolled_back=False),
        OutOfMemoryError(),
        RunCancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_failed_run_is_told_in_the_language(
    wire: Wire, ada: Person, pretend: Pretend, error: TranslatableError
) -> None:
    await ended(wire, ada, pretend, "failed", error, verdict=run_records.failure(error))
    await wire.say(ada, "!report")


async def test_a_skipped_run_is_told_in_the_language(wire: Wire, ada: Person, pretend: Pretend) -> None:
    said = Sentence(
        "Nightly promotion is paused since the rollback of {at} UTC: {fresh} of {needed} new votes since. An "
        "admin can end the pause with `!resume`.",
        at="2026-03-01 03:00",
        fresh=1,
        needed=5,
    )
    await ended(wire, ada, pretend, "skipped", said, verdict=run_records.failure(said))


async def test_english_is_found() -> None:
    assert left_over("✗ **Das Modell hat gelernt, wofür abgestimmt wurde.**", names=set()) == ""
    assert left_over("It was not promoted: v0002 wurde übernommen", names=set()) == "It was not promoted"
