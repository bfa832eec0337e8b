"""Runs from end to end on tiny models: what they record and promote, and what they leave unchanged."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from support.ballots import NOON, QUERY, ask, minutes, vote
from support.databases import rows
from support.versions import write as write_small

from storage import runs
from storage.backends.locks import RUN, holding, lock_for
from storage.database import Database
from storage.runs import Run
from storage.schema import votes
from storage.sentences import from_json
from storage.team_words import change_word
from training.corpus.language import language, reading
from training.errors import (
    BaseModelError,
    DuplicateRunError,
    NoChampionError,
    NoStarterError,
    RegistryUnwritableError,
    RunCancelledError,
    RunInProgressError,
)
from training.evaluation import candidate, gate, metrics
from training.evaluation.judged_words import Learnt
from training.inference.fill_model import FillModel
from training.pipeline import nightly
from training.pipeline import run as pipeline
from training.pipeline.outcome import Outcome
from training.pipeline.run import run_domain, run_init, run_night
from training.progress import NoProgress
from training.registry.versions import Registry
from training.settings import DEFAULT_BASE_MODEL, DomainSettings, NightSettings, Settings, StarterSettings

NIGHT = NightSettings(
    learning_rate=1e-3,
    min_steps=20,
    max_steps=20,
    batch_examples=4,
    replay_examples=2,
    anchor_examples=2,
    sentences=200,
    replayed=100,
)
STARTER = StarterSettings(
    sentences=300, vocabulary=300, layers=1, hidden_size=16, inner_size=16, heads=2, steps=3, batch_examples=4
)


class Home:
    """A FILLBOT_HOME, its registry and its database."""

    def __init__(self, folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder)  # no .env in sight
        for name in ("DISCORD_TOKEN", "FILLBOT_MIN_JUDGEMENTS", "FILLBOT_MIN_VOTERS", "FILLBOT_DATABASE_URL"):
            monkeypatch.delenv(name, raising=False)
        self.settings = Settings(home=folder / "home", base_model=str(base), device="cpu")
        self.registry = Registry(self.settings.models_dir)

    def with_database(self, work: Callable[[Database], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            database = await Database.open(self.settings.url)
            result = await work(database)
            await database.close()
            return result

        return asyncio.run(run())

    def latest(self) -> Run:
        run = self.with_database(runs.latest)
        assert isinstance(run, Run)
        return run

    def reject_the_best_word(self, *, voters: int = 1, query: str = QUERY) -> str:
        """Vote the champion's best word down. Returns it."""
        champion = self.registry.champion()
        assert champion is not None
        words = [
            (c.word, c.score) for c in FillModel(self.registry.path(champion)).fill([query], top=5)[0][0]
        ]

        async def work(database: Database) -> None:
            prediction_id = await ask(database, query, words=words)
            for voter in range(voters):
                await vote(database, prediction_id, words[0][0], -1, by=voter)

        self.with_database(work)
        return words[0][0]


def small_suites(folder: Path) -> Path:
    """The first lines of each suite that ships with the project: the tiny model knows few words anyway."""
    folder.mkdir()
    for path in metrics.suites_folder().iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()[:6]
        (folder / path.name).write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def home(tmp_path: Path, distilbert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(
        candidate, "_slowdown", lambda *_: candidate.Slowdown(1.0, 0.0)
    )  # no test of the clock
    few = small_suites(tmp_path / "suites")
    monkeypatch.setattr(candidate.metrics, "suites_folder", lambda: few)
    # A tiny model of random weights answers the suites by chance.
    criteria = [each if each.name == "learnt" else replace(each, limit=99.0) for each in gate.DOMAIN_CRITERIA]
    monkeypatch.setattr(gate, "DOMAIN_CRITERIA", tuple(criteria))
    return Home(tmp_path, distilbert_folder, monkeypatch)


@pytest.fixture
def started(home: Home) -> Home:
    """With a first version."""
    run_init(home.settings, NoProgress())
    return home


def night_of(home: Home, *, trigger: str = "retrain", **changed: Any) -> Outcome:
    return run_night(home.settings, NoProgress(), trigger=trigger, **{"night": NIGHT, **changed})


def test_the_first_start_exports_the_base(home: Home) -> None:
    outcome = run_init(home.settings, NoProgress())
    assert (outcome.status, outcome.version) == ("done", "v0001")
    assert (home.registry.champion(), home.registry.domain()) == ("v0001", "v0001")
    found = home.registry.card("v0001")
    assert (found.kind, found.base) == ("base", home.settings.base_model)
    assert {"model.safetensors", "config.json", "tokenizer.json", "model.onnx", "vocabulary.json"} <= set(
        found.files
    )
    assert {"torch", "transformers", "onnxruntime", "uptrain", "python"} <= set(found.libraries)
    home.registry.verify("v0001")


def test_a_second_start_writes_no_version(started: Home) -> None:
    assert run_init(started.settings, NoProgress()).version == "v0001"
    assert started.registry.versions() == ["v0001"]


def test_a_missing_champion_is_replaced_by_the_base(started: Home) -> None:
    (started.registry.folder / "v0001").rename(started.registry.folder / "elsewhere")
    assert run_init(started.settings, NoProgress()).version == "v0002"
    assert (started.registry.champion(), started.registry.domain()) == ("v0002", "v0002")


def test_without_a_base_the_starter_is_trained(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = home.settings.model_copy(update={"base_model": "distilbert-base-uncased"})
    monkeypatch.setattr("training.models.base_model.find_base", lambda _name: None)
    assert run_init(settings, NoProgress(), starter=STARTER).version == "v0001"
    found = home.registry.card("v0001")
    assert (found.kind, found.base, found.settings["steps"]) == ("starter", "starter", 3)
    assert len(found.metrics["loss"]) == 1
    (mask,) = FillModel(home.registry.path("v0001")).fill([QUERY], top=5)[0]
    assert len(mask) == 5


def test_the_starter_is_the_same_every_time(home: Home) -> None:
    from training.domain.starter import train_starter
    from training.models import torch_model

    first, second = (
        train_starter(STARTER, device=torch_model.pick_device("cpu"), progress=NoProgress()) for _ in range(2)
    )
    assert first[1] == second[1]
    assert first[0].tokenizer.to_str() == second[0].tokenizer.to_str()
    for name, weight in first[0].state_dict().items():
        assert weight.equal(second[0].state_dict()[name])


def test_a_base_that_cannot_be_loaded_leaves_no_version(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    settings = home.settings.model_copy(update={"base_model": str(tmp_path / "empty")})
    with pytest.raises(BaseModelError, match=r"no \.safetensors"):
        run_init(settings, NoProgress())
    assert (home.registry.versions(), home.registry.champion()) == ([], None)


@pytest.mark.parametrize("most", [100, 20_000, 90_000])  # config.json, then the weights, then the graph
def test_a_full_disk_leaves_no_version(
    home: Home, most: int, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    home.settings.home.mkdir()
    with full_disk(most), pytest.raises(RegistryUnwritableError, match="Free some disk space"):
        run_init(home.settings, NoProgress())
    assert (home.registry.versions(), home.registry.champion()) == ([], None)
    assert list(home.registry.folder.iterdir()) == []
    assert run_init(home.settings, NoProgress()).version == "v0001"  # once there is room


def test_a_night_needs_a_first_version(home: Home) -> None:
    with pytest.raises(NoChampionError):
        night_of(home)


def test_a_night_without_votes_is_skipped_with_the_reason(started: Home) -> None:
    outcome = night_of(started)
    assert outcome.status == "skipped"
    assert "There are no votes yet." in outcome.sentence
    run = started.latest()
    assert (run.trigger, run.status, run.champion, run.challenger) == ("retrain", "skipped", "v0001", None)
    assert run.reason == outcome.sentence
    assert started.registry.versions() == ["v0001"]


def test_on_discord_a_night_needs_more_votes(started: Home) -> None:
    started.reject_the_best_word(voters=1)
    settings = started.settings.model_copy(update={"min_voters": 2})
    outcome = run_night(settings, NoProgress(), trigger="nightly", night=NIGHT)
    assert outcome.status == "skipped"
    assert "2 or more people" in outcome.sentence


def test_a_night_learns_judges_and_records(started: Home) -> None:
    rejected = started.reject_the_best_word(voters=3)
    outcome = night_of(started, as_of=minutes(60))
    assert outcome.status in ("promoted", "rejected")  # a tiny random model may fail a suite
    assert outcome.version == "v0002"
    assert started.registry.champion() == ("v0002" if outcome.status == "promoted" else "v0001")
    words = [c.word for c in FillModel(started.registry.path("v0002")).fill([QUERY], top=5)[0][0]]
    assert rejected not in words

    run = started.latest()
    assert (run.status, run.as_of, run.champion) == (outcome.status, minutes(60), "v0001")
    assert run.verdict == json.loads(json.dumps(outcome.verdict))
    assert run.report is not None
    assert (run.report["votes"], run.report["voters"], run.report["judgements"]) == (3, 3, 1)
    found = started.registry.card("v0002")
    assert (found.kind, found.parent, found.champion, found.run_id) == ("night", "v0001", "v0001", run.id)
    assert (found.retraining_set_hash, found.as_of) == (run.retraining_set_hash, minutes(60))
    assert found.verdict == run.verdict
    kept = started.settings.home / "runs" / f"{run.id:05d}" / "retraining_set.jsonl"
    assert json.loads(kept.read_text())["unwanted"] == [rejected]


def promoting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the gate say yes, whatever the tiny model does."""
    decide = candidate.gate.decide

    def yes(measured: gate.Measurements) -> Any:
        verdict = decide(measured)
        return type(verdict)(True, verdict.reasons)

    monkeypatch.setattr(candidate.gate, "decide", yes)


def test_a_version_that_passes_the_gate_serves(started: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    promoting(monkeypatch)
    started.reject_the_best_word()
    outcome = night_of(started, trigger="nightly")
    assert (outcome.status, outcome.sentence) == ("promoted", "v0002 is the new champion.")
    assert (started.registry.champion(), started.registry.domain()) == ("v0002", "v0001")
    run = started.latest()
    assert (run.status, run.challenger) == ("promoted", "v0002")


@pytest.mark.parametrize("damage", ["garbage", None])
def test_a_challenger_is_compared_with_the_latest_champion(
    started: Home, monkeypatch: pytest.MonkeyPatch, damage: str | None
) -> None:
    promoting(monkeypatch)
    rejected = started.reject_the_best_word()
    night_of(started)
    if damage:  # then the domain model stands in, so that this very night mends it
        (started.registry.path("v0002") / "model.onnx").write_text(damage)
    outcome = night_of(started, again=damage is None)
    assert outcome.version == "v0003"
    (change,) = outcome.report["changes"]
    assert (rejected in change["before"]) == (damage is not None)


def test_the_same_votes_on_the_same_models_are_not_learnt_twice(
    started: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    started.reject_the_best_word(voters=3)
    monkeypatch.setattr(candidate.gate, "decide", lambda _: gate.Verdict(False, ()))
    first = night_of(started, as_of=minutes(60))
    a_month_later = minutes(60 * 24 * 30)
    skipped = night_of(started, as_of=a_month_later)
    assert (skipped.status, skipped.version) == ("skipped", None)
    assert skipped.sentence == "No new judgements since run 1; it would make the same model again."
    assert started.latest().is_repetition
    second = night_of(started, as_of=a_month_later, again=True)
    assert (first.version, second.version) == ("v0002", "v0003")
    cards = [started.registry.card(version) for version in ("v0002", "v0003")]
    assert cards[0].files["model.onnx"] == cards[1].files["model.onnx"]
    assert cards[0].settings == cards[1].settings
    assert cards[0].metrics == cards[1].metrics


def test_a_person_who_is_forgotten_leaves_no_trace_in_the_next_version(started: Home) -> None:
    """Ada and Ben reject the best word; Cleo votes on it and on another query, and then opts out."""
    started.reject_the_best_word(voters=2)
    never = night_of(started, as_of=NOON)

    async def cleo_votes(database: Database) -> None:
        first = await ask(database, "The new socks feel [MASK].", words=[("soft", 0.4), ("rough", 0.3)])
        for prediction_id, word in ((1, "cheap"), (first, "soft")):
            await vote(database, prediction_id, word, 1, by=9)

    async def cleo_is_forgotten(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(delete(votes).where(votes.c.voter_id == 9))

    started.with_database(cleo_votes)
    with_cleo = night_of(started, as_of=NOON)
    started.with_database(cleo_is_forgotten)
    forgotten = night_of(started, as_of=NOON)

    def weights(outcome: Outcome) -> str:
        assert outcome.version is not None
        return started.registry.card(outcome.version).files["model.safetensors"]

    assert weights(with_cleo) != weights(never)
    assert weights(forgotten) == weights(never)


def test_a_cancelled_run_does_not_promote(started: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    promoting(monkeypatch)
    started.reject_the_best_word()
    commit = Registry.commit

    def ended(self: Registry, *arguments: Any) -> None:
        commit(self, *arguments)
        rows(started.settings.home, "UPDATE runs SET status = 'failed'")  # the bot, meanwhile

    monkeypatch.setattr(Registry, "commit", ended)
    with pytest.raises(RunCancelledError):
        night_of(started)
    assert started.registry.champion() == "v0001"
    assert started.latest().status == "failed"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RegistryUnwritableError(Path("models"), "No space left on device"), "No space left on device"),
        (KeyError("surprise"), "KeyError: 'surprise'"),
        (KeyboardInterrupt(), "it was stopped"),
    ],
)
def test_a_run_that_raises_is_recorded_as_failed(
    started: Home, monkeypatch: pytest.MonkeyPatch, error: BaseException, reason: str
) -> None:
    def breaks(*_: Any, **__: Any) -> Outcome:
        raise error

    monkeypatch.setattr(nightly.NightlyRun, "learn", breaks)
    with pytest.raises(type(error)):
        night_of(started)
    run = started.latest()
    assert run.status == "failed"
    assert run.finished_at is not None
    assert run.verdict is not None
    assert reason in run.verdict["reasons"][0]
    with pipeline.run_lock(started.settings):  # and the next may begin
        pass


def test_two_runs_at_once_are_refused(started: Home) -> None:
    with holding(lock_for(started.settings, RUN)):
        for begin in (
            lambda: night_of(started),
            lambda: run_init(started.settings, NoProgress()),
            lambda: run_domain(started.settings, NoProgress(), trigger="domain"),
        ):
            with pytest.raises(RunInProgressError):
                begin()


def test_a_night_that_ran_on_another_machine_does_not_run_again(started: Home) -> None:
    async def have(database: Database) -> int:
        run_id = await runs.open_run(database, "nightly", started_at=minutes(0), champion="v0001")
        await runs.finish_run(database, run_id, "skipped", finished_at=minutes(1))
        return run_id

    had = started.with_database(have)
    with pytest.raises(DuplicateRunError, match=f"as run {had}"):
        run_night(started.settings, NoProgress(), trigger="nightly", unless_since=minutes(0))
    assert started.latest().id == had


def test_the_open_row_of_a_killed_run_is_finished_by_the_next(started: Home) -> None:
    async def leave(database: Database) -> int:
        return await runs.open_run(database, "nightly", started_at=minutes(0), champion="v0001")

    stale = started.with_database(leave)
    night_of(started)
    run = started.with_database(lambda database: runs.get_run(database, stale))
    assert run.status == "failed"


def test_nightly_promotion_is_paused_after_a_rollback_until_there_are_new_votes(
    started: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoting(monkeypatch)
    started.reject_the_best_word()

    async def roll_back(database: Database) -> None:
        run_id = await runs.open_run(database, "rollback", started_at=minutes(1), champion="v0002")
        await runs.finish_run(database, run_id, "done", finished_at=minutes(1))

    started.with_database(roll_back)
    outcome = night_of(started, trigger="nightly")
    assert outcome.status == "skipped"
    assert "paused since the rollback of 2026-03-01 12:01 UTC: 0 of 1 new votes" in outcome.sentence
    assert night_of(started, trigger="retrain").status == "promoted"  # an admin may


def domain_of(home: Home, **changed: Any) -> Outcome:
    """Long enough for the tiny model to learn something of its corpus."""
    settings = {"recipe": "full", "sentences": 100, "batch_examples": 8, "epochs": 2, "learning_rate": 2e-3}
    domain = DomainSettings(**{**settings, **changed})
    return run_domain(home.settings, NoProgress(), trigger="domain", domain=domain)


def test_nights_start_from_a_new_domain_model(started: Home) -> None:
    outcome = domain_of(started)
    assert (outcome.status, outcome.version) == ("promoted", "v0002")
    assert outcome.sentence == "v0002 serves now, and every night starts from it."
    assert (started.registry.domain(), started.registry.champion()) == ("v0002", "v0002")
    found = started.registry.card("v0002")
    assert (found.kind, found.champion, found.settings["sentences"]) == ("domain", "v0001", 100)
    run = started.latest()
    assert (run.trigger, run.status, run.challenger) == ("domain", "promoted", "v0002")


def test_a_domain_model_leaves_a_champion_that_learnt_from_votes(started: Home) -> None:
    write_small(started.registry, kind="night")
    started.registry.promote("v0002")
    outcome = domain_of(started)
    assert outcome.version == "v0003"
    assert outcome.sentence == "Nights now start from v0003; v0002 serves until a night promotes a version."
    assert (started.registry.domain(), started.registry.champion()) == ("v0003", "v0002")


def test_a_domain_model_replaces_a_damaged_champion(started: Home) -> None:
    write_small(started.registry, kind="night")
    started.registry.promote("v0002")
    (started.registry.path("v0002") / "card.json").write_text("garbage")
    domain_of(started)
    assert started.registry.champion() == "v0003"


def test_a_recipe_for_comparison_moves_no_pointer(started: Home) -> None:
    outcome = domain_of(started, recipe="curated-only")
    assert (outcome.status, outcome.version) == ("done", "v0002")
    assert "made for comparison" in outcome.sentence
    assert (started.registry.domain(), started.registry.champion()) == ("v0001", "v0001")
    assert started.latest().status == "done"


def test_a_rejected_domain_model_is_kept_but_not_used(started: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {row.name: row for row in gate.DOMAIN_CRITERIA}
    impossible = replace(rows["control"], limit=-1.0)  # the wanted share would have to rise by 1
    monkeypatch.setattr(gate, "DOMAIN_CRITERIA", (rows["learnt"], impossible))
    outcome = domain_of(started)
    assert outcome.status == "rejected"
    assert outcome.sentence.startswith("v0002 did not become the domain model: complaints and negations")
    assert (started.registry.domain(), started.registry.champion()) == ("v0001", "v0001")
    assert started.registry.card("v0002").verdict["is_promotable"] is False


def test_there_is_no_domain_model_without_a_base(started: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.domain.training_run.find_base", lambda _name: None)
    with pytest.raises(BaseModelError):
        domain_of(started)
    assert started.latest().status == "failed"


def test_old_versions_are_pruned_after_a_run(started: Home) -> None:
    settings = started.settings.model_copy(update={"keep_versions": 1})
    for _ in range(3):
        write_small(started.registry)
    run_night(settings, NoProgress(), trigger="retrain", night=NIGHT)
    assert started.registry.versions() == ["v0001", "v0004"]


def test_versions_that_wait_for_a_decision_are_not_pruned(started: Home) -> None:
    """But for those that waited to replace an earlier champion."""
    settings = started.settings.model_copy(update={"keep_versions": 1})
    waiting = (("v0002", "v0001"), ("v0003", "v0001"), ("v0004", "v0099"))

    async def let_wait(database: Database) -> None:
        for challenger, champion in waiting:
            run_id = await runs.open_run(
                database, "nightly", started_at=NOON, champion=champion, challenger=challenger
            )
            await runs.finish_run(database, run_id, "waiting", finished_at=NOON)

    for _ in waiting:
        write_small(started.registry)
    started.with_database(let_wait)
    write_small(started.registry)
    run_night(settings, NoProgress(), trigger="retrain", night=NIGHT)
    assert started.registry.versions() == ["v0001", "v0002", "v0003", "v0005"]


def with_withdrawn_champion(home: Home, *, voters: int = 1) -> None:
    """v0002 serves, learnt from votes, and is withdrawn."""
    home.reject_the_best_word(voters=voters)
    night_of(home)
    home.registry.promote("v0002")
    home.registry.withdraw(["v0002"])


def test_a_skipped_run_replaces_a_withdrawn_champion(started: Home) -> None:
    with_withdrawn_champion(started)

    async def forget(database: Database) -> None:
        async with database.write() as connection:
            await connection.execute(delete(votes))

    started.with_database(forget)
    outcome = night_of(started, trigger="forget")
    assert outcome.status == "skipped"
    assert outcome.sentence.endswith(
        "v0002 learnt from votes that are forgotten, so the domain model v0001 serves now."
    )
    assert started.registry.champion() == "v0001"
    assert (started.latest().trigger, started.latest().status) == ("withdrawal", "done")


@pytest.mark.parametrize("is_promotable", [True, False])
def test_a_challenger_is_not_compared_with_a_withdrawn_champion(
    started: Home, monkeypatch: pytest.MonkeyPatch, is_promotable: bool
) -> None:
    """What it learnt is learnt again, and is no reason against the challenger."""
    with_withdrawn_champion(started, voters=3)
    decide = candidate.gate.decide
    met: list[Learnt] = []

    def answer(measured: gate.Measurements) -> Any:
        met.append(measured.learnt)
        return type(decided := decide(measured))(is_promotable, decided.reasons)

    monkeypatch.setattr(candidate.gate, "decide", answer)
    outcome = night_of(started, trigger="forget")
    shown = {learnt.shown(lambda word: word.before, is_wanted=False) for learnt in met}
    assert shown == {1}  # the domain model's
    assert outcome.version == "v0003"
    assert started.registry.card("v0003").champion == "v0001"  # where a rollback leads
    assert started.registry.champion() == ("v0003" if is_promotable else "v0001")
    assert ("so the domain model v0001 serves now" in outcome.sentence) != is_promotable


def test_a_paused_run_to_forget_a_person_does_not_promote(started: Home) -> None:
    with_withdrawn_champion(started)

    async def roll_back(database: Database) -> None:
        run_id = await runs.open_run(database, "rollback", started_at=minutes(1), champion="v0003")
        await runs.finish_run(database, run_id, "done", finished_at=minutes(1))

    started.with_database(roll_back)
    assert night_of(started, trigger="forget").status == "skipped"
    assert started.registry.champion() == "v0001"


def test_a_domain_model_replaces_a_withdrawn_champion(started: Home) -> None:
    write_small(started.registry, kind="night")
    started.registry.promote("v0002")
    started.registry.withdraw(["v0002"])
    domain_of(started)
    assert started.registry.champion() == "v0003"


def test_a_run_cancelled_during_the_checks_leaves_no_retraining_set(
    started: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    started.reject_the_best_word()
    run_checks = nightly.run_checks

    def ended(*arguments: Any, **options: Any) -> Any:
        checks = run_checks(*arguments, **options)
        rows(started.settings.home, "UPDATE runs SET status = 'failed'")
        return checks

    monkeypatch.setattr(nightly, "run_checks", ended)
    with pytest.raises(RunCancelledError):
        night_of(started)
    assert not list(started.settings.home.rglob("retraining_set.jsonl"))


def test_a_run_records_its_inputs(started: Home) -> None:
    started.reject_the_best_word(voters=2)
    night_of(started, as_of=minutes(60))
    night_of(started, as_of=minutes(90))
    found = rows(started.settings.home, "SELECT user_id, CAST(counted_since AS text) FROM people")
    assert [(voter, at[:19]) for voter, at in sorted(found)] == [(n, "2026-03-01 13:00:00") for n in (0, 1)]


@pytest.mark.parametrize("changed", [{"promotion": "ask"}, {"word_lists": "off"}])
def test_a_version_waits_for_an_admin_where_settings_say_so(
    started: Home, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    promoting(monkeypatch)
    started.reject_the_best_word()
    started.settings = started.settings.model_copy(update=changed)
    night = NIGHT.model_copy(update={"has_word_lists": started.settings.word_lists == "prior"})
    outcome = night_of(started, trigger="nightly", night=night)
    said = "v0002 passed every test. An admin decides whether it replaces v0001."
    assert (outcome.status, outcome.sentence) == ("waiting", said)
    assert started.registry.champion() == "v0001"
    run = started.latest()
    assert (run.status, run.champion, run.challenger) == ("waiting", "v0001", "v0002")


@pytest.mark.parametrize("promotion", ["auto", "proof"])
def test_a_language_without_files_learns_from_votes_alone_and_a_person_decides(
    started: Home, monkeypatch: pytest.MonkeyPatch, promotion: str
) -> None:
    promoting(monkeypatch)
    monkeypatch.setattr(candidate.metrics, "suites_folder", lambda: language().suites)
    started.reject_the_best_word()
    started.settings = started.settings.model_copy(update={"corpus_language": "fr", "promotion": promotion})
    with reading("fr"):
        outcome = night_of(started, night=NIGHT.model_copy(update={"has_word_lists": False}))
    assert outcome.status == "waiting"
    assert started.registry.champion() == "v0001"
    assert outcome.version is not None
    assert started.registry.card(outcome.version).precision == "fp32"


def test_the_verdict_names_what_the_language_lacks(started: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate.metrics, "suites_folder", lambda: language().suites)
    started.reject_the_best_word()
    with reading("fr"):
        outcome = night_of(started, night=NIGHT.model_copy(update={"has_word_lists": False}))
    assert outcome.verdict is not None
    reasons = {reason["name"]: reason for reason in outcome.verdict["reasons"]}
    assert not reasons["language"]["has_data"]
    text = str(from_json(reasons["language"]))
    assert text.startswith("not checked, for lack of files in the language fr: sentence patterns, lists of")
    without_data = {name for name, reason in reasons.items() if not reason["has_data"]}
    assert {"control", "retention", "praise", "perplexity", "drift", "behaviour", "deny-list"} <= without_data


def test_there_is_no_starter_without_patterns(home: Home) -> None:
    settings = home.settings.model_copy(
        update={"corpus_language": "fr", "base_model": DEFAULT_BASE_MODEL, "home": home.settings.home / "fr"}
    )
    with reading("fr"), pytest.raises(NoStarterError, match=r"language fr .* FILLBOT_BASE_MODEL"):
        run_init(settings, NoProgress())


def test_a_version_is_proved_where_settings_say_so_and_runs_wait(
    started: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoting(monkeypatch)
    started.reject_the_best_word()
    started.settings = started.settings.model_copy(update={"promotion": "proof"})
    assert night_of(started, trigger="nightly").status == "proving"
    assert started.registry.champion() == "v0001"
    run = started.latest()
    assert (run.status, run.champion, run.challenger) == ("proving", "v0001", "v0002")
    waits = night_of(started, trigger="nightly", again=True)
    assert (waits.status, waits.version) == ("skipped", None)
    assert waits.sentence.startswith("v0002 and v0001 answer together until people's votes decide")
    started.settings = started.settings.model_copy(update={"proof_on_new_run": "replace"})
    assert (night_of(started, again=True).status, started.latest().challenger) == ("proving", "v0003")


def test_a_word_that_the_team_denied_is_neither_learnt_nor_offered(started: Home) -> None:
    started.reject_the_best_word(query="Nike caps are very [MASK].")
    denied = started.reject_the_best_word()
    changed = {"by": 7, "champion": "v0001", "now": NOON}
    started.with_database(lambda database: change_word(database, "denied", denied, is_added=True, **changed))
    outcome = night_of(started)
    assert outcome.version is not None
    made = FillModel(started.registry.path(outcome.version))
    assert made.token_of(denied) is None
    assert outcome.report["rejected"]["denied word"] >= 1
    deny_list = next(one for one in outcome.verdict["reasons"] if one["name"] == "deny-list")
    assert deny_list["passed"]
    assert started.registry.card(outcome.version).settings["denied"] == [denied]


def test_a_preferred_word_is_learnt_and_makes_another_version(started: Home) -> None:
    started.reject_the_best_word()
    before = FillModel(started.registry.path("v0001"))
    word = before.fill(["Adidas jackets are [MASK]."], top=20)[0][0][-1].word
    plain = night_of(started)
    changed = {"by": 7, "champion": "v0001", "now": NOON}
    started.with_database(lambda database: change_word(database, "preferred", word, is_added=True, **changed))
    outcome = night_of(started, trigger="nightly")  # the same votes, and another word
    assert plain.version is not None
    assert outcome.version is not None
    assert started.registry.card(outcome.version).settings["preferred"] == [word]
    scores = []
    for version in (plain.version, outcome.version):
        made = FillModel(started.registry.path(version))
        filled = made.fill(["Adidas jackets are [MASK]."], top=len(made.offered))[0][0]
        scores.append(next(one.score for one in filled if one.word == word))
    assert scores[1] > scores[0]
