"""From the base to a version, on tiny models: what is written, what is judged, and a run that was killed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.killing import Deadly, Killed

from training.domain import training_run
from training.domain.training_run import DomainTraining, DomainVersion
from training.errors import BaseModelError, EmptyRecipeError
from training.inference.fill_model import FillModel
from training.progress import NoProgress
from training.registry.versions import TRAINING_LOG, Registry
from training.settings import DomainSettings, Settings
from training.votes.checks.corpus import select_edge_cases
from training.votes.checks.corpus_report import EdgeCaseReport

DOMAIN = DomainSettings(sentences=150, batch_examples=16, epochs=1.0, learning_rate=1e-3)


@pytest.fixture
def settings(tmp_path: Path, distilbert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.corpus.domain_corpus.HELD_OUT_SENTENCES", 40)
    names = ("main", "control", "positive")
    suites = {name: cases[:4] for name, cases in training_run.suites_of(names).items()}
    monkeypatch.setattr(training_run, "suites_of", lambda _names: suites)
    return Settings(home=tmp_path / "home", base_model=str(distilbert_folder), device="cpu")


def make(settings: Settings, progress: NoProgress | None = None, **changed: Any) -> DomainVersion:
    domain = DOMAIN.model_copy(update=changed)
    work = DomainTraining(settings, domain, progress or NoProgress(), folder=settings.home / "runs" / "1")
    return work.make(Registry(settings.models_dir))


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["full", "curated", "curated-only"])
def test_every_recipe_makes_a_version_that_answers(recipe: str, settings: Settings) -> None:
    made = make(settings, recipe=recipe)
    registry = Registry(settings.models_dir)
    registry.verify(made.version)
    card = registry.card(made.version)
    assert (card.kind, card.recipe, card.settings["recipe"]) == ("domain", recipe, recipe)
    assert (registry.champion(), registry.domain()) == (None, None)  # no pointer moves
    assert FillModel(registry.path(made.version), threads=1).fill(["Nike shoes are [MASK]"], top=3)[0][0]
    names = {path.name for path in registry.path(made.version).iterdir()}
    assert {TRAINING_LOG, "loss_perplexity.png", "words.png", "README.md"} <= names
    assert ("edge_cases.json" in names) == (recipe != "full")
    assert not list((settings.home / "runs").glob("*.checkpoint*"))


def test_the_card_records_corpus_and_scores(settings: Settings) -> None:
    made = make(settings, recipe="full")
    registry = Registry(settings.models_dir)
    metrics = registry.card(made.version).metrics
    lines = (registry.path(made.version) / TRAINING_LOG).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert metrics["steps"] == len([row for row in rows if "loss" in row]) == 10
    assert {"step", "epoch", "loss", "perplexity", "accuracy", "tokens_per_s"} <= rows[1].keys()
    losses = [row["held_out"]["loss"] for row in rows if "held_out" in row]
    before, after = (metrics["held_out"][who]["generated"] for who in ("base", "after"))
    assert after["loss"] == min(losses) < losses[0]
    assert before["words"] == after["words"]
    assert metrics["corpus"]["generated"] == 150
    assert set(metrics["suites"]) == {"main", "control", "positive"}
    assert made.report["added_words"] == len(metrics["added_words"]) > 100


def test_words_of_several_pieces_become_candidates(settings: Settings) -> None:
    made = make(settings, recipe="full")
    registry = Registry(settings.models_dir)
    fill_model = FillModel(registry.path(made.version), threads=1)
    for word in ("stylish", "good-looking", "overpriced"):
        assert fill_model.token_of(word) is not None
        assert word in registry.card(made.version).metrics["added_words"]
    assert (
        len(fill_model.encoder.encode("a good-looking [MASK]").ids) == 6
    )  # [CLS] a good-looking [MASK] . [SEP]


@pytest.mark.long
def test_the_plot_compares_the_newest_version_of_each_recipe(settings: Settings) -> None:
    first = make(settings, recipe="full")
    registry = Registry(settings.models_dir)
    alone = (registry.path(first.version) / "loss_perplexity.png").read_bytes()
    second = make(settings, recipe="curated-only")
    assert (registry.path(second.version) / "loss_perplexity.png").read_bytes() != alone


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["full", "curated"])
def test_a_run_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(
    recipe: str, settings: Settings, tmp_path: Path
) -> None:
    whole = make(settings.model_copy(update={"home": tmp_path / "whole"}), recipe=recipe)
    with pytest.raises(Killed):
        make(settings, Deadly(7), recipe=recipe)
    assert not Registry(settings.models_dir).versions()
    steps: list[int] = []

    class Counting(NoProgress):
        def advance(self, units: int = 1, **figures: float) -> None:
            steps.append(units)

    resumed = make(settings, Counting(), recipe=recipe)
    assert steps[0] == 6  # taken over at once; 4 are left
    assert sum(steps) == 10
    weights = [
        (Registry(home / "models").path(made.version) / "model.safetensors").read_bytes()
        for home, made in ((tmp_path / "whole", whole), (settings.home, resumed))
    ]
    assert weights[0] == weights[1]


def test_a_checkpoint_of_other_settings_is_not_taken_over(settings: Settings) -> None:
    with pytest.raises(Killed):
        make(settings, Deadly(7), recipe="full")
    made = make(settings, recipe="full", seed=1)
    assert made.report["steps"] == 10
    assert Registry(settings.models_dir).card(made.version).settings["seed"] == 1


def test_a_recipe_without_edge_cases_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none(_texts: object, _sources: object, folder: Path) -> EdgeCaseReport:
        return select_edge_cases(["My cat sleeps on the sofa."], ["x"], folder)

    monkeypatch.setattr(training_run, "select_edge_cases", find_none)
    with pytest.raises(EmptyRecipeError, match="UpTrain kept none"):
        make(settings, recipe="curated-only")
    assert make(settings, recipe="curated").report["corpus"]["edge_cases"] == 0


def test_the_comparison_recipe_is_stopped_on_edge_cases(settings: Settings) -> None:
    """On all held-out text it would stop at once: what it unlearns of complaints outweighs its praise."""
    make(settings, recipe="curated-only", sentences=600)
    folder = settings.home / "runs" / "1"
    kept = json.loads((folder / "edge_cases_held_out" / "edge_cases.json").read_text())["kept"]
    (version,) = Registry(settings.models_dir).versions()
    log = (Registry(settings.models_dir).path(version) / TRAINING_LOG).read_text().splitlines()
    words = json.loads(log[0])["held_out"]["generated"]["words"]
    assert 0 < kept < 40
    assert kept <= words < 4 * kept


def test_an_unavailable_base_model_is_reported_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_run, "find_base", lambda _name: None)
    with pytest.raises(BaseModelError, match="hub cannot be reached"):
        make(settings)


def test_the_teams_own_texts_are_read_measured_and_drawn(settings: Settings, tmp_path: Path) -> None:
    rows = "".join(f"The boot number {i} is soft and warm.\n" for i in range(60))
    (tmp_path / "texts.csv").write_text(f"text\n{rows}")
    work = DomainTraining(
        settings,
        DOMAIN.model_copy(update={"recipe": "full"}),
        NoProgress(),
        folder=settings.home / "runs" / "1",
        extra=[tmp_path / "texts.csv"],
    )
    made = work.make(Registry(settings.models_dir))
    assert made.report["sources"][0]["sentences"] == 60
    assert made.report["corpus"]["texts"] == 60
    assert set(made.report["held_out"]["base"]) == {"generated", "own"}
    folder = Registry(settings.models_dir).path(made.version)
    assert (folder / "corpus_health.png").exists()
    assert str(tmp_path) not in (folder / "card.json").read_text().replace(settings.base_model, "")


def test_figures_are_over_words_that_both_can_say(settings: Settings) -> None:
    made = make(settings, recipe="full")
    for figures in made.report["suites"].values():
        assert figures["base"]["cases"] == figures["after"]["cases"]
        assert figures["base"]["skipped"] == figures["after"]["skipped"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_run_that_was_killed_goes_on_on_a_gpu(settings: Settings) -> None:
    settings = settings.model_copy(update={"device": "cuda"})
    with pytest.raises(Killed):
        make(settings, Deadly(7))
    made = make(settings)
    assert (made.report["device"], made.report["steps"]) == ("cuda", 10)
