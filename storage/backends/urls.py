"""Normalize FILLBOT_DATABASE_URL to a URL for SQLAlchemy, or say what is wrong with it.

No message contains any part of the URL, as there may be a password in it.
"""

import re
from pathlib import Path
from urllib.parse import unquote

from storage.files.paths import expanded_path

SQLITE, POSTGRES = "sqlite+aiosqlite", "postgresql+asyncpg"
MEMORY = ("", "//", "///:memory:", ":memory:")
SUFFIXES = (".db", ".sqlite", ".sqlite3", ".db3")
SCHEME = re.compile(r"([a-z][a-z0-9]*(?:\+[a-z0-9_]+)?):(?!\\)", re.IGNORECASE)
EXPECTED = "expected a file such as /data/fillbot.db, or postgresql://user:password@host/name for a server"
ENCODE = (
    "the user name or password contains a reserved character; percent-encode it "
    "(@ %40, : %3A, / %2F, # %23, ? %3F, % %25)"
)
# Options of asyncpg and its dialect.
OPTIONS = frozenset(
    {
        "ssl",
        "host",
        "port",
        "passfile",
        "service",
        "servicefile",
        "direct_tls",
        "target_session_attrs",
        "user",
        "password",
        "database",
        "krbsrvname",
        "gsslib",
        "command_timeout",
        "statement_cache_size",
        "prepared_statement_cache_size",
        "max_cached_statement_lifetime",
        "max_cacheable_statement_size",
    }
)
SAME_OPTION = {"sslmode": "ssl"}  # of other drivers → of asyncpg


def usable_url(written: str) -> str:
    """Return the URL with the driver that fillbot uses.

    Raises:
        ValueError: The URL is invalid; the message says why.
    """
    found = SCHEME.match(written)
    if written in MEMORY:
        return f"{SQLITE}://"
    if found is None or len(found[1]) == 1:  # C:\fillbot.db
        return _of_path(written, is_sure=False)
    kind, _, driver = found[1].lower().partition("+")
    rest = written[found.end() :]
    if kind == "file":
        return _of_path(unquote(re.sub(r"^//(?:localhost)?(?=/)", "", rest)))
    if kind == "sqlite":
        return _sqlite(rest, driver)
    if kind in ("postgres", "postgresql"):
        return _postgres(rest)
    raise ValueError(f"fillbot supports SQLite and PostgreSQL; {EXPECTED}")


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file; escapes special characters in its path."""
    escaped = str(path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    return f"{SQLITE}:///{escaped}"


def _of_path(written: str, *, is_sure: bool = True) -> str:
    if not is_sure and "/" not in written and not written.lower().endswith(SUFFIXES):
        raise ValueError(EXPECTED)
    path = expanded_path(written)
    if path.is_dir():
        raise ValueError("it is a folder; name a file in it, such as fillbot.db")
    return sqlite_url(path)


def _sqlite(rest: str, driver: str) -> str:
    if driver not in ("", "aiosqlite", "pysqlite"):
        raise ValueError(f"the driver for SQLite is aiosqlite; {EXPECTED}")
    path, mark, query = rest.partition("?")
    if path in MEMORY or path.startswith("///file:"):
        return f"{SQLITE}:{'//' if path in ('', ':memory:') else path}{mark}{query}"
    if path.startswith("///"):
        path = path[3:]
    elif path.startswith("//"):
        raise ValueError(
            "write sqlite:/// with three slashes before the path of the file, four if it is absolute"
        )
    return _of_path(unquote(path)) + mark + query


def _postgres(rest: str) -> str:
    from sqlalchemy import make_url  # deferred: charts are drawn without it
    from sqlalchemy.exc import ArgumentError

    if not rest.startswith("//"):
        raise ValueError(EXPECTED)
    address, mark, query = rest[2:].partition("?")
    if "@" in address + query:
        names, _, place = rest[2:].partition("@")
        if "@" in place.partition("?")[0] or re.search(r"[/?#\s]|%(?![0-9a-fA-F]{2})", names):
            raise ValueError(ENCODE)
    if "#" in address or re.search(r"\s", address):
        raise ValueError(ENCODE if "@" in address else EXPECTED)
    try:
        url = make_url(f"{POSTGRES}://{address}{mark}{query}")
    except (ArgumentError, ValueError) as error:
        raise ValueError(f"the host or port of the server is invalid; {EXPECTED}") from error
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError("the port must be between 1 and 65535")
    if not url.database:
        raise ValueError(f"the database name is missing; {EXPECTED}")
    if "/" in url.database:
        raise ValueError(f"a database name cannot contain a slash; {EXPECTED}")
    options = {SAME_OPTION.get(name, name): value for name, value in url.query.items()}
    unknown = sorted(options.keys() - OPTIONS)
    if unknown:
        raise ValueError(f"asyncpg has no option {unknown[0][:40]!r}; remove it from the URL")
    return url.set(query=options).render_as_string(hide_password=False)
