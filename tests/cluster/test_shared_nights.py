"""Nights on machines that share their versions on S3."""

import asyncio
from pathlib import Path

import pytest
from support.ballots import QUERY, ask, vote
from support.tiny import tiny_distilbert, tiny_tokenizer

from storage.database import Database
from training.evaluation import candidate as judging
from training.evaluation import gate
from training.evaluation.gate import Verdict
from training.inference.fill_model import FillModel
from training.inference.loading import served_folder
from training.models.torch_model import MaskedLm
from training.pipeline.run import run_init, run_night
from training.progress import NoProgress
from training.registry.errors import PointerMovedError
from training.registry.factory import open_registry
from training.registry.sharing import pull
from training.registry.versions import Registry
from training.settings import NightSettings, Settings

NIGHT = NightSettings(
    learning_rate=1e-3,
    min_steps=3,
    max_steps=3,
    batch_examples=4,
    replay_examples=2,
    anchor_examples=2,
    sentences=100,
    replayed=10,
)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "distilbert"
    MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="distilbert").save(folder)
    monkeypatch.setattr(judging, "_slowdown", lambda *_: judging.Slowdown(1.0, 0.0))  # no test of the clock
    decide = gate.decide
    monkeypatch.setattr(
        judging.gate,
        "decide",
        lambda measured: Verdict(is_promotable=True, reasons=decide(measured).reasons),
    )
    return str(folder)


def settings_of(home: Path, models_url: str, base: str, database_url: str) -> Settings:
    return Settings(
        home=home, models_url=models_url, base_model=base, device="cpu", database_url=database_url
    )


def reject_a_word(settings: Settings) -> None:
    registry = open_registry(settings)
    (answers,) = FillModel(served_folder(registry, registry.champion() or "")).fill([QUERY], top=5)
    words = [(candidate.word, candidate.score) for candidate in answers[0]]

    async def work() -> None:
        database = await Database.open(settings.url)
        await vote(database, await ask(database, QUERY, words=words), words[0][0], -1, by=1)
        await database.close()

    asyncio.run(work())


def test_a_night_on_a_machine_with_nothing_of_its_own(
    tmp_path: Path, models_url: str, base: str, database_url: str
) -> None:
    here, there = (settings_of(tmp_path / name, models_url, base, database_url) for name in ("here", "there"))
    run_init(here, NoProgress())
    reject_a_word(here)
    outcome = run_night(there, NoProgress(), trigger="retrain", night=NIGHT)
    assert (outcome.status, outcome.version) == ("promoted", "v0002")
    registry = open_registry(here)
    pull(registry)
    assert (registry.champion(), registry.domain()) == ("v0002", "v0001")
    registry.verify("v0002")


def test_a_night_does_not_promote_over_what_another_machine_did_meanwhile(
    tmp_path: Path, models_url: str, base: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = settings_of(tmp_path / "here", models_url, base, database_url)
    run_init(here, NoProgress())
    reject_a_word(here)
    commit = Registry._seal

    def commit_and_promote(registry: Registry, *arguments: object) -> None:
        commit(registry, *arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(Registry, "_seal", commit)
        other = open_registry(settings_of(tmp_path / "other", models_url, base, database_url))
        pull(other)
        with other.draft() as draft:
            for path in other.path("v0001").iterdir():
                (draft.folder / path.name).write_bytes(path.read_bytes())
            other.commit(draft, other.card("v0001").model_copy(update={"version": draft.version}))
        other.promote(draft.version)

    monkeypatch.setattr(Registry, "_seal", commit_and_promote)
    with pytest.raises(PointerMovedError, match="changed the champion meanwhile: it is now v0003"):
        run_night(here, NoProgress(), trigger="retrain", night=NIGHT)
    assert open_registry(here).champion() == "v0003"
