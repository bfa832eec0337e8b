"""FILLBOT_DATABASE_URL as people write it: used, or refused in one sentence without a secret."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from storage.backends.urls import ENCODE, sqlite_url, usable_url
from storage.database import Database


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("/data/fillbot.db", "/data/fillbot.db"),
        ("fillbot.db", "fillbot.db"),
        ("data/votes", "data/votes"),
        ("./fillbot.sqlite3", "fillbot.sqlite3"),
        ("/data/my votes.db", "/data/my votes.db"),
        ("/data/what?.db", "/data/what?.db"),
        ("/data/100%20.db", "/data/100%20.db"),
        ("/data/a#b.db", "/data/a#b.db"),
        ("~/fillbot.db", "/home/ann/fillbot.db"),
        ("$HOME/fillbot.db", "/home/ann/fillbot.db"),
        ("${HOME}/fillbot.db", "/home/ann/fillbot.db"),
        ("sqlite:///fillbot.db", "fillbot.db"),
        ("sqlite:////data/fillbot.db", "/data/fillbot.db"),
        ("sqlite:///~/fillbot.db", "/home/ann/fillbot.db"),
        ("sqlite:fillbot.db", "fillbot.db"),
        ("sqlite:/data/fillbot.db", "/data/fillbot.db"),
        ("SQLite:///fillbot.db", "fillbot.db"),
        ("sqlite+aiosqlite:////data/fillbot.db", "/data/fillbot.db"),
        ("sqlite+pysqlite:////data/fillbot.db", "/data/fillbot.db"),
        ("sqlite:////data/100%25.db", "/data/100%.db"),
        ("file:/data/fillbot.db", "/data/fillbot.db"),
        ("file:///data/fillbot.db", "/data/fillbot.db"),
    ],
)
def test_a_file_is_found_however_it_is_written(
    written: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    url = make_url(usable_url(written))
    assert (url.drivername, url.database) == ("sqlite+aiosqlite", file)


@pytest.mark.parametrize("written", ["sqlite://", "sqlite+aiosqlite://", "sqlite:///:memory:", ":memory:"])
def test_a_database_in_memory_stays_in_memory(written: str) -> None:
    url = make_url(usable_url(written))
    assert url.drivername == "sqlite+aiosqlite"
    assert url.database in (None, "", ":memory:")


@pytest.mark.parametrize(
    "scheme",
    [
        "postgres",
        "postgresql",
        "PostgreSQL",
        "postgresql+asyncpg",
        "postgresql+psycopg2",
        "postgresql+psycopg",
    ],
)
def test_a_server_is_reached_by_the_driver_that_is_here(scheme: str) -> None:
    url = make_url(usable_url(f"{scheme}://me:p%40%3A%2F%23%3F%25w@db:5433/votes?sslmode=require"))
    assert (url.drivername, url.username, url.password) == ("postgresql+asyncpg", "me", "p@:/#?%w")
    assert (url.host, url.port, url.database, dict(url.query)) == ("db", 5433, "votes", {"ssl": "require"})


@pytest.mark.parametrize(
    "password",
    ["s3cret@w", "s3cret/w", "s3cret#w", "s3cret?w", "s3cret%w", "s3cret w", "s3@c/r", "@", "%"],
)
def test_a_password_that_is_not_encoded_is_named_as_the_reason(password: str) -> None:
    with pytest.raises(ValueError, match="percent-encode") as caught:
        usable_url(f"postgresql://me:{password}@db/votes")
    assert str(caught.value) == ENCODE


def test_a_colon_needs_no_encoding() -> None:
    assert make_url(usable_url("postgresql://me:a:b@db/votes")).password == "a:b"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mysql://me:s3cret@db/votes", "SQLite and PostgreSQL"),
        ("mysql+aiomysql://me:s3cret@db/votes", "SQLite and PostgreSQL"),
        ("mongodb://me:s3cret@db/votes", "SQLite and PostgreSQL"),
        ("jdbc:postgresql://db/votes", "SQLite and PostgreSQL"),
        ("https://db/votes", "SQLite and PostgreSQL"),
        ("localhost:5432/votes", "SQLite and PostgreSQL"),
        ("sqlite+sqlcipher:///x.db", "aiosqlite"),
        ("sqlite://fillbot.db", "sqlite:///"),
        ("votes", "expected a file"),
        ("postgresql:me@db/votes", "expected a file"),
        ("postgresql://me:s3cret@db", "the database name is missing"),
        ("postgresql://me:s3cret@db/", "the database name is missing"),
        ("postgresql://me:s3cret@db:port/votes", "host or port"),
        ("postgresql://me:s3cret@db:99999/votes", "port"),
        ("postgresql://me:s3cret@db/votes/more", "slash"),
        ("postgresql://db/votes#part", "expected"),
        ("postgresql://me:s3cret@db/votes?channel_binding=require", "channel_binding"),
        ("postgresql://me:s3cret@db/votes?connect_timeout=3", "connect_timeout"),
        ("~unknown-user/x.db", "does not exist"),
        ("$FILLBOT_NOT_SET/x.db", "not set"),
        ("/usr", "it is a folder"),
    ],
)
def test_a_url_without_a_database_is_refused_without_the_password(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        usable_url(written)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["plain.db", "what?.db", "a#b.db", "100%20.db", "my votes é.db"])
async def test_a_file_is_made_under_the_very_name(name: str, tmp_path: Path) -> None:
    await (await Database.open(sqlite_url(tmp_path / name))).close()
    assert (tmp_path / name).is_file()
