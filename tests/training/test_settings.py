"""Training settings: defaults that depend on the environment, and invalid values."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from support.databases import TEMPLATE

from training.settings import DomainSettings, NightSettings, Settings, StarterSettings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FILLBOT_{name.upper()}", raising=False)
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)


def test_in_the_sandbox_one_vote_is_enough() -> None:
    settings = Settings()
    assert settings.in_sandbox
    assert (settings.needed_judgements, settings.needed_voters) == (1, 1)


def test_on_discord_more_people_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "a-token")
    settings = Settings()
    assert not settings.in_sandbox
    assert (settings.needed_judgements, settings.needed_voters) == (20, 2)
    assert "a-token" not in repr(settings)


def test_given_settings_override_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FILLBOT_MIN_JUDGEMENTS", "5")
    monkeypatch.setenv("FILLBOT_HOME", "elsewhere")
    (tmp_path / ".env").write_text("FILLBOT_MIN_VOTERS=3\nFILLBOT_MIN_JUDGEMENTS=7\nFILLBOT_UNHEARD_OF=1\n")
    settings = Settings()
    assert (settings.needed_judgements, settings.needed_voters) == (5, 3)
    assert settings.models_dir == Path("elsewhere/models")
    assert TEMPLATE or settings.url == "sqlite+aiosqlite:///elsewhere/fillbot.db"


def test_an_empty_setting_is_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FILLBOT_HOME", "FILLBOT_MIN_VOTERS", "FILLBOT_DATABASE_URL", "DISCORD_TOKEN"):
        monkeypatch.setenv(name, "")
    assert Settings() == Settings.model_construct()
    assert Settings().in_sandbox


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().home = Path("other")  # type: ignore[misc]


@pytest.mark.parametrize("kind", [NightSettings, DomainSettings, StarterSettings])
def test_hyper_parameters_take_no_unknown_name(
    kind: type[NightSettings | DomainSettings | StarterSettings],
) -> None:
    with pytest.raises(ValidationError):
        kind(learning_rates=1.0)  # type: ignore[call-arg]
