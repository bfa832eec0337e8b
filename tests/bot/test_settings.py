from datetime import time
from pathlib import Path

import pytest
from support.databases import of_sqlite

from bot.errors import StartError
from bot.settings import Settings, load_settings
from storage.settings import EX_CONFIG


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from a developer's own `.env`."""
    monkeypatch.chdir(tmp_path)


def with_env(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name if name == "DISCORD_TOKEN" else f"FILLBOT_{name}", value)
    return load_settings()


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings()
    assert settings.in_sandbox
    assert settings.prefix == "!"
    assert settings.nightly_at == time(3)
    assert settings.zone.key == "UTC"


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_env(
        monkeypatch,
        DISCORD_TOKEN="abc",
        GUILD_IDS="1, 2 3,,4",
        ADMIN_ROLE_IDS="1100000000000000201",
        REPORT_CHANNEL_ID="5",
        NIGHTLY_AT="02:30",
        TIMEZONE="Europe/Berlin",
        PREFIX="?",
    )
    assert settings.guild_ids == (1, 2, 3, 4)
    assert settings.admin_role_ids == (1100000000000000201,)
    assert settings.report_channel_id == 5
    assert (settings.nightly_at, settings.zone.key) == (time(2, 30), "Europe/Berlin")
    assert settings.prefix == "?"


def test_weights_of_roles_are_read_by_name_and_id(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_env(monkeypatch, ROLE_WEIGHTS="Product team=2, 1100000000000000201 = 0.5,A=B=0,")
    assert settings.role_weights == (("Product team", 2.0), ("1100000000000000201", 0.5), ("A=B", 0.0))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Product team", "not Product team"),
        ("=2", "not =2"),
        ("Product team=much", "not Product team=much"),
        ("Product team=-1", "not Product team=-1"),
        ("Product team=nan", "not Product team=nan"),
        ("Product team=5.1", "the weight of Product team must be between 0 and 5"),
        ("Product team=2, product Team=3", "product Team has two weights"),
    ],
)
def test_weights_of_roles_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, value: str, said: str) -> None:
    with pytest.raises(StartError, match="FILLBOT_ROLE_WEIGHTS: ") as refused:
        with_env(monkeypatch, ROLE_WEIGHTS=value)
    assert said in str(refused.value)


def test_settings_are_read_from_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DISCORD_TOKEN=abc\nFILLBOT_GUILD_IDS=7\nFILLBOT_PREFIX=\n")
    settings = load_settings()
    assert not settings.in_sandbox
    assert (settings.guild_ids, settings.prefix) == ((7,), "!")


def test_blanks_around_the_token_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is sent would not be what is blacked out in the log."""
    token = with_env(monkeypatch, DISCORD_TOKEN=" s3cret\t\n", GUILD_IDS="1").discord_token
    assert token is not None
    assert token.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("NIGHTLY_AT", "3:05", time(3, 5)),
        ("NIGHTLY_AT", " 23:59 ", time(23, 59)),
        ("NIGHTLY_AT", "03:00:00", time(3)),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("DEVICE", "CPU", "cpu"),
        ("PREFIX", "#", "#"),
        ("GUILD_IDS", '"1, 2"', (1, 2)),
        ("RUN_TIMEOUT_S", " 60 ", 60),
        ("REPORT_CHANNEL_ID", "'5'", 5),
        ("HEALTH_HOST", "[::1]", "::1"),
        ("BASE_MODEL", "distilbert/distilbert-base-uncased", "distilbert/distilbert-base-uncased"),
        ("BASE_MODEL", "~/bert", "FOLDER/bert"),
        ("DATA_DIR", "$HOME/bert", Path("FOLDER/bert")),
    ],
)
def test_a_value_is_taken_as_it_is_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, written: str, value: object
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").touch()
    meant = type(value)(str(value).replace("FOLDER", str(tmp_path))) if "FOLDER" in str(value) else value
    assert getattr(with_env(monkeypatch, **{name: written}), name.lower()) == meant


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("~/models", "FOLDER/models"),
        ("file:///srv/my%20models", "/srv/my models"),
        ("S3://bucket/models", "s3://bucket/models"),
    ],
)
def test_shared_models_lie_where_it_says_if_there_is_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, value: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = with_env(monkeypatch, MODELS_URL=written, DATABASE_URL="postgresql://me@host/fillbot")
    assert settings.models_url == value.replace("FOLDER", str(tmp_path))


def test_the_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "s3cret" not in repr(with_env(monkeypatch, DISCORD_TOKEN="s3cret", GUILD_IDS="1"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"DISCORD_TOKEN": "abc"}, "FILLBOT_GUILD_IDS must list the servers"),
        ({"GUILD_IDS": "my-server"}, "FILLBOT_GUILD_IDS: expected ids"),
        ({"SHARD_COUNT": "0"}, "FILLBOT_SHARD_COUNT: "),
        ({"SHARD_IDS": "a"}, "FILLBOT_SHARD_IDS: expected ids"),
        ({"SHARD_IDS": "1"}, "FILLBOT_SHARD_IDS must lie between 0 and 0"),
        ({"SHARD_IDS": "0,0", "SHARD_COUNT": "2"}, "names a shard twice"),
        ({"SHARD_IDS": "0", "SHARD_COUNT": "2"}, "cannot reach this one's sandbox: set DISCORD_TOKEN"),
        ({"ADMIN_ROLE_IDS": "1;2"}, "FILLBOT_ADMIN_ROLE_IDS: expected ids"),
        ({"REPORT_CHANNEL_ID": "#general"}, "FILLBOT_REPORT_CHANNEL_ID: "),
        ({"LANGUAGE": "xx"}, "FILLBOT_LANGUAGE: there are no texts in this language; choose one of "),
        ({"TIMEZONE": "Berlin"}, "FILLBOT_TIMEZONE: not a time zone"),
        ({"NIGHTLY_AT": "3 o'clock"}, "FILLBOT_NIGHTLY_AT: "),
        ({"NIGHTLY_AT": "25:00"}, "FILLBOT_NIGHTLY_AT: "),
        ({"SANDBOX_PORT": "70000"}, "FILLBOT_SANDBOX_PORT: "),
        ({"SANDBOX_PORT": "http"}, "FILLBOT_SANDBOX_PORT: "),
        ({"RUN_TIMEOUT_S": "1"}, "FILLBOT_RUN_TIMEOUT_S: "),
        ({"MAX_QUERY_CHARS": "2000"}, "FILLBOT_MAX_QUERY_CHARS: "),
        ({"MAX_MASKS": "0"}, "FILLBOT_MAX_MASKS: "),
        ({"MIN_JUDGEMENTS": "0"}, "FILLBOT_MIN_JUDGEMENTS: "),
        ({"KEEP_VERSIONS": "0"}, "FILLBOT_KEEP_VERSIONS: "),
        ({"DEVICE": "gpu"}, "FILLBOT_DEVICE: "),
        ({"LOG_LEVEL": "LOUD"}, "FILLBOT_LOG_LEVEL: "),
        ({"PREFIX": "!!!!!!"}, "FILLBOT_PREFIX: "),
        ({"PREFIX": " "}, "FILLBOT_PREFIX: "),
        (
            {"DISCORD_API_URL": "http://example.com/api"},
            "FILLBOT_DISCORD_API_URL: http://example.com/api would carry",
        ),
        ({"DISCORD_API_URL": "http://127.0.0.1.example.com"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://localhost@example.com"}, "without a name or password"),
        ({"DISCORD_API_URL": "http://127.0.0.1:80@example.com"}, "without a name or password"),
        ({"DISCORD_API_URL": "http://127.0.0.1\\@example.com"}, "FILLBOT_DISCORD_API_URL: "),
        ({"DISCORD_API_URL": "https://me:s3cret@example.com"}, "without a name or password"),
        ({"DISCORD_API_URL": "HTTP://example.com"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://localhost.example.com"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://localhost.:1"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://0177.0.0.1"}, "FILLBOT_DISCORD_API_URL: "),
        ({"DISCORD_API_URL": "http://0x7f.1"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://0.0.0.0"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://[::ffff:10.0.0.1]"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://[fe80::1%25lo]"}, "would carry the token in clear text"),
        ({"DISCORD_API_URL": "http://127.0.0.1\n.example.com"}, "FILLBOT_DISCORD_API_URL: "),
        ({"DISCORD_API_URL": "http://127.0.0.1 .example.com"}, "FILLBOT_DISCORD_API_URL: "),
        ({"DISCORD_API_URL": "http://[::1"}, "FILLBOT_DISCORD_API_URL: not an address"),
        ({"DISCORD_API_URL": "http:///api"}, "begins with https://"),
        ({"DISCORD_API_URL": "javascript:alert(1)"}, "begins with https://"),
        (
            {"DISCORD_API_URL": "https://example.com", "DISCORD_GATEWAY_URL": "ws://example.com"},
            "FILLBOT_DISCORD_GATEWAY_URL: ",
        ),
        ({"DISCORD_API_URL": "http://10.0.0.1"}, "would carry the token in clear text"),
        (
            {"DISCORD_API_URL": "example.com"},
            "FILLBOT_DISCORD_API_URL: expected an address that begins with https://",
        ),
        ({"DISCORD_API_URL": "wss://example.com"}, "begins with https://"),
        (
            {"DISCORD_GATEWAY_URL": "ws://example.com"},
            "FILLBOT_DISCORD_GATEWAY_URL: ws://example.com would carry",
        ),
        ({"DISCORD_GATEWAY_URL": "https://example.com"}, "begins with wss://"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: str
) -> None:
    with pytest.raises(StartError) as caught:
        with_env(monkeypatch, **values)
    assert said in str(caught.value)
    assert str(caught.value).endswith(". See .env.example.")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.exit_code == EX_CONFIG


@pytest.mark.parametrize(
    ("api", "gateway"),
    [
        ("https://discord.example/api/v10", "wss://gateway.example/"),
        ("http://127.0.0.1:8765/api/v10", "ws://127.0.0.1:8765/gateway"),
        ("http://localhost:1/api", "ws://[::1]:1/"),
        ("http://127.1.2.3/api", "wss://gateway.example/"),
    ],
)
def test_addresses_that_keep_the_token_safe_are_taken(
    monkeypatch: pytest.MonkeyPatch, api: str, gateway: str
) -> None:
    settings = with_env(monkeypatch, DISCORD_API_URL=api, DISCORD_GATEWAY_URL=gateway)
    assert (settings.discord_api_url, settings.discord_gateway_url) == (api, gateway)


SOME = {"DISCORD_TOKEN": "abc", "GUILD_IDS": "1", "SHARD_COUNT": "4", "SHARD_IDS": "2,3"}


def test_all_shards_are_this_processes_own() -> None:
    assert load_settings().shards.is_whole
    shards = load_settings(shard_count=3).shards
    assert (shards.ids, shards.is_whole, str(shards)) == ((0, 1, 2), True, "0, 1, 2 of 3")


@of_sqlite
def test_some_shards_need_a_database_that_others_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StartError, match="set FILLBOT_DATABASE_URL to PostgreSQL"):
        with_env(monkeypatch, **SOME)


def test_some_shards_need_models_that_others_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = SOME | {"DATABASE_URL": "postgresql+asyncpg://me@host/fillbot", "HOME": str(tmp_path / "home")}
    with pytest.raises(StartError, match="set FILLBOT_MODELS_URL, or make the folder models"):
        with_env(monkeypatch, **here)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(tmp_path)
    assert with_env(monkeypatch, **here).shards.ids == (2, 3)
