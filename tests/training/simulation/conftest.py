"""A team's bot with a tiny model, on which simulations and curves run."""

from pathlib import Path

import pytest
from support.databases import url_for

from training.evaluation import candidate, metrics
from training.pipeline.run import run_init
from training.progress import NoProgress
from training.settings import Settings


def small_suites(folder: Path) -> Path:
    """The first lines of each suite that ships with the project: the tiny model knows few words anyway."""
    folder.mkdir()
    for path in metrics.suites_folder().glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()[:6]
        (folder / path.name).write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def settings(tmp_path: Path, distilbert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a team's bot, which has a first version."""
    monkeypatch.chdir(tmp_path)  # no .env in sight
    for name in ("DISCORD_TOKEN", "FILLBOT_MIN_JUDGEMENTS", "FILLBOT_MIN_VOTERS", "FILLBOT_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    few = small_suites(tmp_path / "suites")
    monkeypatch.setattr(metrics, "suites_folder", lambda: few)
    monkeypatch.setattr(
        candidate, "_slowdown", lambda *_: candidate.Slowdown(1.0, 0.0)
    )  # no test of the clock
    url = url_for(tmp_path / "theirs.db")
    settings = Settings(
        home=tmp_path / "theirs", base_model=str(distilbert_folder), device="cpu", database_url=url
    )
    run_init(settings, NoProgress())
    return settings
