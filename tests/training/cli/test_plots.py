"""`plot`: the data and the file of each kind, and one sentence for each error."""

import argparse
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from support.versions import card

from training.cli import plots
from training.cli.output import Commands
from training.errors import (
    CorruptVersionError,
    NoChampionError,
    NotPlottableError,
    PlotUnwritableError,
    QueryTooLongError,
    TrainingError,
    UnknownVersionError,
)
from training.registry.versions import Registry
from training.settings import Settings

QUERY = "Nike shoes are very [MASK]"
ROW = {"step": 1, "epoch": 0.1, "loss": 3.0, "perplexity": 20.1, "accuracy": 0.4, "tokens_per_s": 3100.0}

Plot = Callable[..., Path]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path / "home", data_dir=None)  # type: ignore[call-arg]


@pytest.fixture
def registry(settings: Settings, served_folders: dict[str, Path]) -> Registry:
    """A base, two domain models with a log and one without; the base is champion, the last is the domain."""
    registry = Registry(settings.models_dir)
    for kind, recipe, log in (
        ("base", "", None),
        ("domain", "full", [ROW]),
        ("domain", "curated", [ROW, {"step": 1, "held_out": ROW}]),
        ("domain", "curated-only", None),
    ):
        with registry.draft() as draft:
            shutil.copytree(served_folders["distilbert"], draft.folder, dirs_exist_ok=True)
            if log is not None:
                (draft.folder / plots.TRAINING_LOG).write_text("".join(json.dumps(row) + "\n" for row in log))
            registry.commit(draft, card(draft.version, kind=kind, recipe=recipe))
    registry.promote("v0001")
    registry.set_domain("v0004")
    return registry


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    plots.add(Commands(parser))
    return parser.parse_args(["plot", *arguments])


@pytest.fixture
def plot(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Plot:
    """Run the command. Returns the path that it prints, which holds a picture."""

    def run(*arguments: str, **columns: Any) -> Path:
        options = parsed(*arguments)
        assert options.command(options, settings.model_copy(update=columns)) == 0
        out = capsys.readouterr().out
        assert out.count("\n") == 1
        path = Path(json.loads(out)["path"] if options.json else out.strip())
        assert matplotlib.image.imread(path).shape[1] == 1350
        return path

    return run


Labels = list[list[str]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Labels:
    """The labels of everything that is plotted."""
    from training.reports.plots import training_log, words

    seen: Labels = []

    def noting(figure_of: Callable[..., Any], *given: Any) -> Any:
        seen.append(list(given[1] if len(given) > 1 else given[0]))
        return figure_of(*given)

    for module, name in ((training_log, "training_figure"), (words, "words_figure")):
        figure_of = getattr(module, name)
        monkeypatch.setattr(module, name, partial(noting, figure_of))
    return seen


def test_training_plots_every_domain_model_with_a_log(
    registry: Registry, plot: Plot, settings: Settings, drawn: Labels
) -> None:
    assert plot("training") == settings.home / "plots" / "training.png"
    assert drawn == [["full v0002", "curated v0003"]]


def test_training_plots_the_named_versions(registry: Registry, plot: Plot, drawn: Labels) -> None:
    plot("training", "v0003", "v0003")
    assert drawn == [["curated v0003"]]


def test_a_damaged_version_is_skipped_unless_it_is_named(
    registry: Registry, plot: Plot, drawn: Labels
) -> None:
    (registry.path("v0002") / "card.json").unlink()
    plot("training")
    assert drawn == [["curated v0003"]]
    with pytest.raises(CorruptVersionError):
        plot("training", "v0002")


def test_words_are_those_of_the_domain_model_and_the_champion(
    registry: Registry, plot: Plot, settings: Settings, drawn: Labels
) -> None:
    assert plot("words", QUERY) == settings.home / "plots" / "words.png"
    assert drawn == [["curated-only v0004", "base v0001"]]


def test_a_champion_that_is_the_domain_model_is_plotted_once(
    registry: Registry, plot: Plot, drawn: Labels
) -> None:
    registry.set_domain("v0001")
    plot("words", "caf\udce9 is [MASK]")  # a byte that is no UTF-8
    assert drawn == [["base v0001"]]


def test_words_are_plotted_for_the_named_models(
    registry: Registry, plot: Plot, drawn: Labels, distilbert_folder: Path
) -> None:
    alike = registry.folder / "other" / distilbert_folder.name
    shutil.copytree(distilbert_folder, alike)
    models = ("v0002", str(distilbert_folder), str(alike))
    plot("words", QUERY, *(argument for model in models for argument in ("--model", model)))
    name = distilbert_folder.name
    assert drawn == [["full v0002", name, f"{name} ({alike})"]]


def test_corpus_plots_the_teams_files(plot: Plot, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("Reviewer,Title,Content,Star_rating\nAnn,Nice,<b>They fit.</b>,5\n")
    assert plot("corpus", data_dir=tmp_path) == settings.home / "plots" / "corpus.png"


def test_the_plot_is_written_to_out(registry: Registry, plot: Plot, tmp_path: Path) -> None:
    assert plot("training", "--out", str(tmp_path / "new" / "log.PNG")) == tmp_path / "new" / "log.PNG"


@pytest.mark.parametrize("arguments", [("training", "--json"), ("--json", "training")])
def test_the_path_is_printed_as_json(registry: Registry, plot: Plot, arguments: tuple[str, ...]) -> None:
    assert parsed(*arguments).json is True
    assert plot(*arguments).name == "training.png"


@pytest.mark.parametrize("arguments", [(), ("pie",), ("words",), ("training", "--out", "log.pdf")])
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (
            ("training", "v0001"),
            NotPlottableError,
            r"no training log at .*v0001.*`python -m training domain`",
        ),
        (("training", "v0099"), UnknownVersionError, "no model version 'v0099'"),
        (("words", "no mask"), NotPlottableError, r"no \[MASK\] in that text\. Put one"),
        (("words", "shoes " * 60 + "[MASK]"), QueryTooLongError, "reads at most 48"),
        (("words", QUERY, "--model", "v0099"), UnknownVersionError, "no model version 'v0099'"),
        (("corpus",), NotPlottableError, "no CSV files of a known kind to read. Set FILLBOT_DATA_DIR"),
    ],
)
def test_an_impossible_plot_is_reported(
    registry: Registry, plot: Plot, arguments: tuple[str, ...], error: type[TrainingError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        plot(*arguments)


def test_more_models_than_fit_are_refused(registry: Registry, plot: Plot) -> None:
    models = [argument for version in registry.versions() for argument in ("--model", version)]
    with pytest.raises(NotPlottableError, match=r"4 models do not fit side by side\. Name at most 3"):
        plot("words", QUERY, *models)


def test_there_must_be_a_version(plot: Plot) -> None:
    with pytest.raises(NoChampionError):
        plot("words", QUERY)
    with pytest.raises(NotPlottableError, match=r"no domain model has a training log\. Run"):
        plot("training")


def test_a_folder_without_the_files(plot: Plot, tmp_path: Path) -> None:
    with pytest.raises(NotPlottableError, match=f"no CSV files of a known kind in {tmp_path}"):
        plot("corpus", data_dir=tmp_path)


def test_a_folder_that_cannot_be_written(registry: Registry, plot: Plot, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlotUnwritableError, match="cannot be written"):
        plot("training", "--out", str(tmp_path / "file" / "log.png"))
