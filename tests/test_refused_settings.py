"""A setting that cannot be used ends every program in the same sentence and with exit code 78."""

from pathlib import Path

import pytest
from support.wire import untouched_discord

from bot import __main__ as bot
from storage import __main__ as storage
from storage.setting_names import NAMES
from training import __main__ as training

EX_CONFIG = 78
PROGRAMS = {
    "bot": (bot.main, []),
    "bot check": (bot.main, ["check"]),
    "training": (training.main, ["versions"]),
    "storage": (storage.main, ["check"]),
}
OF_ALL = (
    "FILLBOT_DATABASE_URL=mysql://me:s3cret@db/votes",
    "FILLBOT_DATABASE_URL=postgresql://me:s3cr@et@db/votes",
    "FILLBOT_DATABASE_URL=postgresql://me:s3cret@db:port/votes",
    "FILLBOT_DATABASE_URL=~unknown-user/fillbot.db",
    "FILLBOT_KEEP_BACKUPS=7 days",
    "FILLBOT_HOME=~unknown-user/votes",
    "FILLBOT_HOME=a.file",
    "FILLBOT_HOME=C:\\fillbot",
    "FILLBOT_HOME=d:/fillbot",
    "FILLBOT_DATABASE_URL=C:\\fillbot\\votes.db",
    "FILLBOT_HOEM=votes",
    "DISCORD_BOT_TOKEN=s3cret",
    'FILLBOT_HOME="votes',
    "FILLBOT_HOME=a\nFILLBOT_HOME=b",
    "FILLBOT_HOME",
    "FILLBOT_HOME=${NOT_SET}/votes",
)
OF_TRAINING = (
    "FILLBOT_PROMOTION=sometimes",
    "FILLBOT_PROOF_ON_NEW_RUN=later",
    "FILLBOT_DATA_DIR=nowhere",
    "FILLBOT_DATA_DIR=a.file",
    "FILLBOT_BASE_MODEL=./nowhere",
    "FILLBOT_BASE_MODEL=/nowhere/at/all",
    "FILLBOT_BASE_MODEL=~/nowhere",
    "FILLBOT_BASE_MODEL=a.file",
    "FILLBOT_BASE_MODEL=/",
    "FILLBOT_MODELS_URL=https://s3.example.org/bucket",
    "FILLBOT_MODELS_URL=s3://bucket/../other",
    "FILLBOT_MODELS_URL=s3://a bucket/models",
    "FILLBOT_MODELS_URL=\\\\server\\share",
    "FILLBOT_BASE_MODEL=https://huggingface.co/distilbert/distilbert-base-uncased",
    "FILLBOT_BASE_MODEL=distilbert base uncased",
    "FILLBOT_MODELS_URL=s3://",
    "FILLBOT_MODELS_URL=s3:/bucket",
    "FILLBOT_MODELS_URL=s3://key:s3cret@bucket/models",
    "FILLBOT_MODELS_URL=s3://bucket/models?region=s3cret",
    "FILLBOT_MODELS_URL=file://host/models",
    "FILLBOT_MODELS_URL=a.file",
    "FILLBOT_MODELS_URL=s3://bucket/models",  # without a database on a server
    "FILLBOT_MODELS_URL=/srv/models",
    "FILLBOT_RAY_ADDRESS=http://head:port",
    "FILLBOT_RAY_ADDRESS=http://me:s3cret@head:8265",
    "FILLBOT_RAY_ADDRESS=head:8265",
    "FILLBOT_VOTE_HALF_LIFE_DAYS=90 days",
    "FILLBOT_VOTE_HALF_LIFE_DAYS=nan",
    "FILLBOT_MIN_VOTERS=2,5",
    "FILLBOT_DEVICE=gpu",
    "FILLBOT_CORPUS_LANGUAGE=German",
    "FILLBOT_CORPUS_LANGUAGE=../en",
)
OF_BOT = (
    "FILLBOT_LANGUAGE=English",
    "FILLBOT_NIGHTLY_AT=03:00:99",
    "FILLBOT_NIGHTLY_AT=03:00:30",
    "FILLBOT_NIGHTLY_AT=3:00 PM",
    "FILLBOT_NIGHTLY_AT=3",
    "FILLBOT_NIGHTLY_AT=10800",
    "FILLBOT_NIGHTLY_AT=03:00Z",
    "FILLBOT_NIGHTLY_AT=03:00+02:00",
    "FILLBOT_NIGHTLY_AT=03.00",
    "FILLBOT_ROLLBACK_CHECK_EVERY_S=5 minutes",
    "FILLBOT_RUN_TIMEOUT_S=2h",
    "FILLBOT_GUILD_IDS=1234 (ours)",
    "FILLBOT_GUILD_IDS=12²",
    "FILLBOT_GUILD_IDS=0",
    "FILLBOT_GUILD_IDS=1 000",
    "FILLBOT_ADMIN_ROLE_IDS=0",
    "FILLBOT_REPORT_CHANNEL_ID=0",
    "FILLBOT_SERVING_URL=http://a host:8000/fill",
    "FILLBOT_GUILD_IDS=١٢٣",
    "FILLBOT_GUILD_IDS=1234567890123456789012345",
    "FILLBOT_REPORT_CHANNEL_ID=<#123>",
    "FILLBOT_REPORT_CHANNEL_ID=12abc",
    "FILLBOT_REPORT_CHANNEL_ID=5.0",
    "FILLBOT_REPORT_CHANNEL_ID=-5",
    "FILLBOT_TIMEZONE=europe/berlin",
    "FILLBOT_TIMEZONE=CEST",
    "FILLBOT_HEALTH_HOST=127.0.0.1:8080",
    "FILLBOT_HEALTH_HOST=http://localhost",
    "FILLBOT_SERVING_URL=http://host:port/fill",
    "FILLBOT_SERVING_URL=http://me:s3cret@host:8000/fill",
    "FILLBOT_HEALTH_PORT=8080/tcp",
)
CASES = [
    *((line, program) for line in OF_ALL for program in PROGRAMS),
    *((line, program) for line in OF_TRAINING for program in PROGRAMS if program != "storage"),
    *((line, program) for line in OF_BOT for program in ("bot", "bot check")),
]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "a.file").touch()


def started(program: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    main, arguments = PROGRAMS[program]
    with untouched_discord():
        code = main(arguments)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(("line", "program"), CASES)
def test_every_program_refuses_it(line: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text(f"{line}\n", encoding="utf-8")
    code, said = started(program, capsys)
    (sentence,) = said.splitlines()
    assert code == EX_CONFIG
    assert sentence.startswith("The settings cannot be used: ")
    assert line.partition("=")[0] in sentence or ".env" in sentence
    assert "s3cr" not in sentence


@pytest.mark.parametrize("line", [*OF_ALL, *OF_TRAINING, *OF_BOT])
def test_the_start_and_the_check_say_the_same(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text(f"{line}\n", encoding="utf-8")
    assert started("bot", capsys) == started("bot check", capsys)
