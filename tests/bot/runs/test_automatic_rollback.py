"""The watch over a new champion: when it rolls back, when it only tells, and when it keeps out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from structlog.testing import capture_logs
from support.ballots import ask, hash_of
from support.people import Json, Person
from support.wire import Wire, eventually, settings_for, wired

from bot.answering.champion_follower import BotChampionFollower
from bot.answering.predictor import Predictor
from bot.runs.automatic_rollback import AutomaticRollback
from bot.runs.training_runs import TrainingRuns
from storage import runs as run_records
from storage.database import Database
from storage.errors import DatabaseUnavailableError
from storage.schema import candidates, predictions
from storage.votes.predictions import StoredVote, cast_votes
from storage.votes.standing import Value
from training.errors import CorruptVersionError
from training.inference.loading import load
from training.registry import promotion
from training.registry.versions import Registry

PROMOTED_AT = datetime.now(UTC) - timedelta(hours=1)
LIKED_LESS = (
    "v0002 was rolled back to v0001. People liked 41% of v0002's words (of 130 votes), 68% of v0001's (of "
    "400). Nightly promotion is paused until there are enough new votes, or an admin runs !resume."
)


class Told:
    """A report channel that remembers."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    async def post_notice(self, sentence: str, **_: object) -> None:
        self.notices.append(sentence)


class Parts:
    """What the watch looks at: v0002 was promoted an hour ago, v0001 served before."""

    def __init__(self, home: Path, database: Database, follower: BotChampionFollower) -> None:
        self.database, self.follower = database, follower
        self.registry = Registry(home / "models")
        self.runs = TrainingRuns(settings_for(home), database, self.registry, follower)
        self.told = Told()
        self.rollback = AutomaticRollback(
            database,
            self.registry,
            follower=follower,
            runs=self.runs,
            reports=self.told,
            min_voters=2,
            prefix=lambda: "!",
        )


@pytest.fixture
async def parts(home: Path) -> AsyncIterator[Parts]:
    settings = settings_for(home)
    database = await Database.open(settings.url)
    registry = Registry(settings.models_dir)
    await promote(database, registry)
    predictor = Predictor(load(registry, "v0002"))
    yield Parts(home, database, BotChampionFollower(registry, predictor))
    await predictor.close()
    await database.close()


async def promote(database: Database, registry: Registry, *, trigger: str = "nightly") -> None:
    """What a run leaves that promoted v0002."""
    run_id = await run_records.open_run(
        database,
        trigger,
        started_at=PROMOTED_AT,
        champion="v0001",
        challenger="v0002",
        retraining_set_hash="hash2",
    )
    registry.promote("v0002")
    await run_records.finish_run(database, run_id, "promoted", finished_at=PROMOTED_AT)


async def vote(
    database: Database, version: str, *, liked: int, votes: int, same: bool = False, minutes: int = 0
) -> None:
    """Votes of ten people on a version's words, each on a sentence of its own unless they are `same`."""
    if not votes:
        return
    about = {"channel_id": 2, "latency_ms": 1.0, "created_at": PROMOTED_AT, "model_version": version}
    async with database.write() as connection:  # at once: a transaction a vote takes seconds
        texts = [f"{'' if same else version} shoes {i} are [MASK]." for i in range(votes)]
        made = await connection.execute(
            insert(predictions).returning(predictions.c.id, sort_by_parameter_order=True),
            [{"query": text, "query_hash": hash_of(text), **about} for text in texts],
        )
        ids = list(made.scalars())
        offered = {"mask_index": 0, "rank": 0, "word": "cheap", "score": 0.5}
        await connection.execute(insert(candidates), [{"prediction_id": n, **offered} for n in ids])
    at = PROMOTED_AT + timedelta(minutes=minutes)
    await cast_votes(
        database,
        [
            StoredVote(n, 0, "cheap", i % 10, "reaction", value, at + timedelta(milliseconds=i))
            for i, (n, value) in enumerate(zip(ids, mixed(liked, votes), strict=True))
        ],
    )


def mixed(liked: int, votes: int) -> list[Value]:
    """So many votes, the 👍 among them spread evenly."""
    return [1 if (i + 1) * liked // votes > i * liked // votes else -1 for i in range(votes)]


async def before(parts: Parts, *, liked: int = 272, votes: int = 400, same: bool = False) -> None:
    await vote(parts.database, "v0001", liked=liked, votes=votes, minutes=-30, same=same)


async def after(parts: Parts, *, liked: int, votes: int = 130, same: bool = False) -> None:
    await vote(parts.database, "v0002", liked=liked, votes=votes, minutes=5, same=same)


async def test_a_champion_that_is_liked_much_less_is_rolled_back(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=53)
    assert await parts.rollback.check()
    assert parts.registry.champion() == parts.follower.predictor.version == "v0001"
    assert parts.told.notices == [LIKED_LESS]
    row = await run_records.latest(parts.database)
    assert row is not None
    assert (row.trigger, row.status, row.champion, row.challenger) == ("rollback", "done", "v0002", "v0001")
    assert await run_records.paused_since(parts.database) is not None


async def test_what_was_rolled_back_to_is_not_watched(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=0)
    assert await parts.rollback.check()
    assert await parts.rollback.compare() is None
    assert not await parts.rollback.check()
    assert len(parts.told.notices) == 1


async def test_on_the_same_sentences_it_says_so(parts: Parts) -> None:
    await before(parts, liked=90, votes=120, same=True)
    await after(parts, liked=30, votes=120, same=True)
    assert await parts.rollback.check()
    assert parts.told.notices[0].startswith(
        "v0002 was rolled back to v0001. On the same sentences people liked 25% of v0002's words and 75% "
        "of v0001's (120 votes each)."
    )


@pytest.mark.parametrize(
    ("liked", "votes"),
    [(90, 130), (0, 99), (0, 0), (80, 130)],
    ids=["liked as much", "too few votes", "no votes", "a small fall"],
)
async def test_anything_less_changes_nothing(parts: Parts, liked: int, votes: int) -> None:
    await before(parts)
    await after(parts, liked=liked, votes=votes)
    assert not await parts.rollback.check()
    assert parts.registry.champion() == "v0002"
    assert parts.told.notices == []


async def test_votes_on_the_one_before_that_came_after_the_promotion_are_not_compared(parts: Parts) -> None:
    await before(parts, liked=50, votes=100)
    await vote(parts.database, "v0001", liked=300, votes=300, minutes=5)
    await after(parts, liked=53)
    watched = await parts.rollback.compare()
    assert watched is not None
    assert (watched.comparison.old.liked, watched.comparison.old.votes) == (50, 100)


async def test_the_figure_is_told_with_a_small_fall_that_is_real(parts: Parts) -> None:
    await before(parts, liked=360)
    await after(parts, liked=310, votes=400)
    assert not await parts.rollback.check()
    assert await parts.rollback.figure() == (
        "People liked 78% of v0002's words (of 400 votes), 90% of v0001's (of 400). That drop is "
        "significant, but too small for an automatic rollback."
    )


async def test_the_figure_of_a_champion_that_is_liked_is_told(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=9, votes=12)
    assert await parts.rollback.figure() == (
        "People liked 75% of v0002's words (of 12 votes), 68% of v0001's (of 400)."
    )


async def test_without_votes_or_a_promotion_there_is_no_figure(parts: Parts) -> None:
    assert await parts.rollback.figure() == ""
    await after(parts, liked=0)
    assert await parts.rollback.figure() == ""  # nothing to compare with
    await promotion.promote(parts.registry, parts.database, "v0002", now=datetime.now(UTC))
    await before(parts)
    assert await parts.rollback.figure() == ""


async def test_a_version_that_a_person_promoted_is_left_alone(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=0)
    await promotion.promote(parts.registry, parts.database, "v0002", now=datetime.now(UTC))
    assert not await parts.rollback.check()
    assert parts.registry.champion() == "v0002"


async def test_a_pointer_that_moved_meanwhile_is_left_alone(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=0)
    async with parts.runs.moving:
        looking = asyncio.create_task(parts.rollback.check())
        await asyncio.sleep(0.3)  # it has seen the loss by now, and waits
        parts.registry.promote("v0003")
    assert not await looking
    assert parts.registry.champion() == "v0003"
    assert parts.told.notices == []


async def test_a_run_that_is_training_can_no_longer_promote(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=0)
    run_id = await run_records.open_run(
        parts.database, "nightly", started_at=datetime.now(UTC), champion="v0002"
    )
    assert await parts.rollback.check()
    row = await run_records.get_run(parts.database, run_id)
    assert row is not None
    assert row.reason == "v0002, its champion, was rolled back meanwhile"
    assert not await run_records.run_if_open(parts.database, run_id, lambda: None)


async def test_a_version_before_that_is_damaged_is_told_once(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=0)
    (parts.registry.path("v0001") / "model.onnx").write_bytes(b"rubbish")
    for _ in range(2):
        with pytest.raises(CorruptVersionError):
            await parts.rollback.check()
    assert parts.registry.champion() == "v0002"
    assert len(parts.told.notices) == 1
    assert "v0002 still serves: Model version v0001 is damaged" in parts.told.notices[0]


async def test_it_goes_on_looking_when_the_database_could_not_be_read(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await before(parts)
    await after(parts, liked=0)
    fetch, failures = parts.database.fetch, iter([1, 2])

    def sometimes(*query: Any) -> object:
        if next(failures, None) is not None:
            raise DatabaseUnavailableError("fillbot.db", "gone")
        return fetch(*query)

    monkeypatch.setattr(parts.database, "fetch", sometimes)
    with capture_logs() as logs:
        watching = asyncio.create_task(parts.rollback.run(every_s=0.01))

        async def is_back() -> bool:
            return parts.registry.champion() == "v0001" and bool(parts.told.notices)

        await eventually(is_back)
    watching.cancel()
    assert [line["event"] for line in logs].count("rollback.not_checked") == 2


async def test_nobody_alone_can_roll_back(parts: Parts) -> None:
    await before(parts)
    prediction = await ask(parts.database, words=[(f"w{i}", 0.1) for i in range(300)], model_version="v0002")
    at = datetime.now(UTC)
    await cast_votes(
        parts.database, [StoredVote(prediction, 0, f"w{i}", 7, "menu", -1, at) for i in range(300)]
    )
    assert not await parts.rollback.check()


async def reported(wire: Wire, person: Person) -> Json:
    """The newest notice in the report channel."""

    async def find() -> Json | None:
        messages = await person.messages(wire.sandbox.reports_channel_id)
        return messages[0] if messages else None

    found: Json = await eventually(find)
    return found


async def test_the_app_rolls_back_says_so_and_answers_with_the_version_before(home: Path) -> None:
    """Also after a restart: nothing but the database is needed."""
    settings = settings_for(home)
    database, registry = await Database.open(settings.url), Registry(settings.models_dir)
    await promote(database, registry)
    await vote(database, "v0001", liked=272, votes=400, minutes=-30)
    await vote(database, "v0002", liked=40, votes=90, minutes=5)
    async with wired(home, rollback_check_every_s=1) as wire, wire.member() as ann:
        reply = await wire.ask(ann)
        assert reply["embeds"][0]["footer"]["text"].startswith("Model v0002")
        await vote(database, "v0002", liked=53, votes=130, minutes=6)
        message = await reported(wire, ann)
        assert message["embeds"][0]["description"].replace("\\", "") == LIKED_LESS
        again = await wire.ask(ann)
        assert again["embeds"][0]["footer"]["text"].startswith("Model v0001")
        model = await wire.say(ann, "!model")
        assert model["embeds"][0]["title"] == "Model v0001"
    await database.close()


async def test_a_withdrawn_champion_is_not_watched(parts: Parts) -> None:
    await before(parts)
    await after(parts, liked=53)
    parts.registry.withdraw(["v0002"])
    assert await parts.rollback.compare() is None
    assert not await parts.rollback.check()
