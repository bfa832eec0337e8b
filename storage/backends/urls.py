"""FILLBOT_DATABASE_URL as people write it → the URL that SQLAlchemy takes, or what is wrong with it.

No sentence holds any part of the URL: there may be a password in it.
"""

import re
from pathlib import Path
from urllib.parse import unquote

from storage.paths import expanded_path

SQLITE, POSTGRES = "sqlite+aiosqlite", "postgresql+asyncpg"
MEMORY = ("", "//", "///:memory:", ":memory:")
SUFFIXES = (".db", ".sqlite", ".sqlite3", ".db3")
SCHEME = re.compile(r"([a-z][a-z0-9]*(?:\+[a-z0-9_]+)?):(?!\\)", re.IGNORECASE)
EXPECTED = "expected a file such as /data/fillbot.db, or postgresql://user:password@host/name for a server"
ENCODE = (
    "a character of the user's name or password has a meaning in addresses; percent-encode it there "
    "(@ %40, : %3A, / %2F, # %23, ? %3F, % %25)"
)
# What asyncpg and its dialect take; by the names that other drivers have for the same.
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
SAME_OPTION = {"sslmode": "ssl"}


def usable_url(written: str) -> str:
    """The URL with the driver that fillbot has for it.

    Raises:
        ValueError: it names no database that can be used; says why.
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
    raise ValueError(f"fillbot keeps votes in SQLite or PostgreSQL; {EXPECTED}")


def file_url(path: Path) -> str:
    """The URL of a SQLite file, whatever characters its path has."""
    escaped = str(path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    return f"{SQLITE}:///{escaped}"


def _of_path(written: str, *, is_sure: bool = True) -> str:
    if not is_sure and "/" not in written and not written.lower().endswith(SUFFIXES):
        raise ValueError(EXPECTED)
    path = expanded_path(written)
    if path.is_dir():
        raise ValueError("that is a folder; name a file in it, such as fillbot.db")
    return file_url(path)


def _sqlite(rest: str, driver: str) -> str:
    if driver not in ("", "aiosqlite", "pysqlite"):
        raise ValueError(f"SQLite is read with aiosqlite here; {EXPECTED}")
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
    from sqlalchemy import make_url  # not at once: pictures are drawn without it
    from sqlalchemy.exc import ArgumentError

    if not rest.startswith("//"):
        raise ValueError(EXPECTED)
    address, mark, query = rest[2:].partition("?")
    if "@" in address + query:
        _, at, place = rest[2:].partition("@")
        names = rest[2:].partition("@")[0]
        if (at and "@" in place.partition("?")[0]) or re.search(r"[/?#\s]|%(?![0-9a-fA-F]{2})", names):
            raise ValueError(ENCODE)
    if "#" in address or re.search(r"\s", address):
        raise ValueError(ENCODE if "@" in address else EXPECTED)
    try:
        url = make_url(f"{POSTGRES}://{address}{mark}{query}")
    except (ArgumentError, ValueError) as error:
        raise ValueError(f"the address or the port of the server cannot be read; {EXPECTED}") from error
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError("the port lies between 1 and 65535")
    if not url.database:
        raise ValueError(f"no database is named; {EXPECTED}")
    if "/" in url.database:
        raise ValueError(f"the name of a database has no slash; {EXPECTED}")
    options = {SAME_OPTION.get(name, name): value for name, value in url.query.items()}
    unknown = sorted(options.keys() - OPTIONS)
    if unknown:
        raise ValueError(f"asyncpg knows no option {unknown[0][:40]!r}; take it out of the address")
    return url.set(query=options).render_as_string(hide_password=False)
