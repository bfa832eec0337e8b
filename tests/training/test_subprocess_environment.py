"""A subprocess reads the same settings from its environment, for every field."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from training.settings import Settings
from training.subprocess_environment import inherited_environment, settings_as_environment

# What a person could write: other signs have a meaning in paths and addresses, and are refused.
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "Nd"), include_characters="-_."), min_size=1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "home": TEXT.map(lambda name: Path("/homes") / name.replace("/", "-")),
    "database_url": st.none()
    | TEXT.map("sqlite+aiosqlite:///{}".format)
    | st.just("postgresql+asyncpg://me@host/fillbot"),
    "keep_backups": st.integers(0, 3650),
    "base_model": TEXT,
    "allow_weak_base": st.booleans(),
    "corpus_language": st.sampled_from(("en", "de", "fr")),
    "data_dir": st.none() | TEXT.map(lambda name: Path("data") / name.replace("/", "-")),
    "device": st.sampled_from(("auto", "cpu", "cuda")),
    "precision": st.sampled_from(("auto", "fp32")),
    "min_judgements": st.none() | st.integers(1, 1_000_000),
    "min_voters": st.none() | st.integers(1, 100),
    "vote_half_life_days": st.floats(1, 36_500),
    "word_lists": st.sampled_from(("prior", "off")),
    "promotion": st.sampled_from(("auto", "ask", "proof")),
    "proof_on_new_run": st.sampled_from(("wait", "replace")),
    "models_url": st.none() | TEXT.map("s3://bucket/{}".format),
    "keep_versions": st.integers(1, 10_000),
    "ray_address": st.sampled_from((None, "auto", "http://127.0.0.1:8265")),
    "ray_workers": st.integers(1, 1_000),
    "ray_wait_s": st.floats(0, 86_400, exclude_min=True),
    "replicas_min": st.integers(1, 8),
    "replicas_max": st.integers(8, 1_000),
    "replica_requests": st.floats(0, 100, exclude_min=True),
    "replica_cpus": st.integers(1, 64),
    "shown_words": st.integers(3, 10),
}


def test_every_field_has_a_test_value() -> None:
    assert set(VALUES) | {"discord_token"} == set(Settings.model_fields)


@given(values=st.fixed_dictionaries(VALUES))
def test_another_process_reads_the_same_settings(values: dict[str, Any]) -> None:
    try:
        settings = Settings(_env_file=None, **values)  # type: ignore[call-arg]
    except ValidationError:
        assume(False)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings_as_environment(settings).items():
            patch.setenv(name, value)
        assert Settings(_env_file=None) == settings  # type: ignore[call-arg]


def test_no_variable_holds_a_secret() -> None:
    settings = Settings(_env_file=None, discord_token=SecretStr("s3cret"))  # type: ignore[call-arg]
    variables = settings_as_environment(settings)
    assert "s3cret" not in str(variables)
    assert not [name for name in variables if "TOKEN" in name]


def test_only_named_variables_of_the_environment_are_inherited() -> None:
    theirs = {"PATH": "/bin", "LC_TIME": "C", "AWS_KEY": "k", "PGUSER": "p", "RAY_X": "r", "SECRET": "s"}
    settings = Settings(_env_file=None, database_url="sqlite+aiosqlite://")  # type: ignore[call-arg]
    assert inherited_environment(theirs, settings) == {"PATH": "/bin", "LC_TIME": "C"}
