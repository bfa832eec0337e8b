"""What a job on the cluster is told: everything it needs, and no secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from training.distributed.ray.job_settings import environment, without_password
from training.distributed.serving.deployment import Service, _environment
from training.settings import ON_THE_CLUSTER, Settings

TOKEN, PASSWORD = "t0ken-t0ken", "passw0rd"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+asyncpg://me:{PASSWORD}@host:5432/fillbot?ssl=require",
        f"postgresql+asyncpg://me@host:5432/fillbot?password={PASSWORD}&ssl=require",
    ],
)
def test_neither_the_token_nor_the_databases_password_is_handed_on(tmp_path: Path, url: str) -> None:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        home=tmp_path,
        discord_token=SecretStr(TOKEN),
        database_url=url,
        models_url="s3://bucket/models",
        ray_address="http://host:8265",
    )
    told = environment(settings)
    assert TOKEN not in str(told)
    assert PASSWORD not in str(told)
    assert told["FILLBOT_DATABASE_URL"] == "postgresql+asyncpg://me@host:5432/fillbot?ssl=require"
    assert told["FILLBOT_RAY_ADDRESS"] == ON_THE_CLUSTER
    assert told["FILLBOT_MIN_VOTERS"] == "2", "as on Discord, though the token is not there"


def test_a_url_without_a_password_stays() -> None:
    assert without_password("postgresql+asyncpg://me@host/fillbot") == "postgresql+asyncpg://me@host/fillbot"


def test_replicas_get_no_access_to_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        home=tmp_path,
        database_url=f"postgresql+asyncpg://me:{PASSWORD}@host:5432/fillbot",
        models_url="s3://bucket/models",
    )
    told = f"{Service.of(settings)} {_environment()}"
    assert "s3://bucket/models" in told
    assert PASSWORD not in told
    assert "postgresql" not in told
