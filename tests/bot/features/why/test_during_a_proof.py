"""`Why this word?` while two versions answer together: the version that brought the word explains it."""

import itertools
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from support.people import Json, Person
from support.wire import Wire, best_words, eventually, fields_of, wired

from storage import runs

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHAMPION, CHALLENGER = "v0001", "v0002"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A bot where both versions answer."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with wired(home, promotion="proof", rollback_check_every_s=3600) as running:
        database, now = running.app.database, datetime.now(UTC)
        run = await runs.open_run(
            database, "nightly", started_at=now, champion=CHAMPION, challenger=CHALLENGER
        )
        await runs.finish_run(database, run, "proving", finished_at=now)

        async def is_answering() -> bool:
            return running.app.follower.predictor.challenger is not None

        await eventually(is_answering)
        yield running


async def reply_of(wire: Wire, person: Person, version: str) -> tuple[Json, str]:
    """A reply whose bold word this version alone brought, and its sentence."""
    for number in itertools.count():
        text = f"walk {version} {number} shoes are [MASK]"
        reply = await wire.say(person, f"!fill {text}")
        if (await wire.row(reply))["candidates"][0]["model_version"] == version:
            return reply, text
    raise AssertionError


@pytest.mark.parametrize(("version", "other"), [(CHALLENGER, CHAMPION), (CHAMPION, CHALLENGER)])
async def test_the_version_that_brought_the_bold_word_explains_it(
    wire: Wire, ann: Person, version: str, other: str
) -> None:
    reply, text = await reply_of(wire, ann, version)
    word = (await wire.row(reply))["candidates"][0]["word"]
    told = fields_of(await wire.use_on(ann, reply, "Why this word?"))
    assert told["Now"].startswith(f"Model {version} alone: place 1, ")
    lines = told["Model versions"].split("\n")
    assert lines[0].startswith(f"**{version} (answers now)** · place 1, ")
    rank = best_words(wire, other, text).index(word) + 1
    assert lines[1].startswith(f"**{other} (answers now)** · place {rank}, ")


async def test_a_version_that_answers_no_more_is_listed(wire: Wire, ann: Person) -> None:
    reply, _ = await reply_of(wire, ann, CHALLENGER)
    await runs.end_proofs(wire.app.database, "rejected")

    async def has_ended() -> bool:
        return wire.app.follower.predictor.challenger is None

    await eventually(has_ended)
    told = fields_of(await wire.use_on(ann, reply, "Why this word?"))
    assert told["Now"].startswith(f"Model {CHAMPION} alone: ")
    assert told["Model versions"].split("\n")[1].startswith(f"**{CHALLENGER}** · place 1, ")
