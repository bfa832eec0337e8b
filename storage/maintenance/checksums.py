"""Order-independent checksums of rows that SQLite and PostgreSQL agree on.

A row is encoded as its values with their lengths; the checksum is the sum of the first 60 bits of the rows'
MD5 digests. It detects accidents, not attacks.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import JSON, Boolean, Float, Integer, String, Table

from storage.backends.postgres import strict_json
from storage.schema import UtcDateTime

BITS = 60


def _standard_json(text: str) -> str:
    return strict_json(json.loads(text)) if "NaN" in text or "Infinity" in text else text


@dataclass(frozen=True, slots=True)
class Encoding:
    """How values of a type are converted for PostgreSQL, and written as text here and there."""

    of: type
    for_postgres: Callable[[Any], Any]
    as_text: Callable[[Any], str]
    as_text_in_postgres: str


ENCODINGS = (
    Encoding(Boolean, bool, lambda value: str(int(value)), "{}::int::text"),
    Encoding(
        UtcDateTime,
        lambda value: datetime.fromisoformat(value).replace(tzinfo=UTC),
        lambda value: value.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    ),
    Encoding(JSON, _standard_json, str, "{}::text"),
    Encoding(Float, float, lambda value: struct.pack(">d", value).hex(), "encode(float8send({}), 'hex')"),
    Encoding(Integer, int, str, "{}::text"),
    Encoding(String, lambda value: value.replace("\0", ""), str, "{}"),  # PostgreSQL does not store NUL
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column and how its values are encoded."""

    name: str
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Digest:
    """The number of rows and their checksum."""

    rows: int
    checksum: int

    def __add__(self, other: "Digest") -> "Digest":
        return Digest(self.rows + other.rows, self.checksum + other.checksum)


@cache
def columns_of(table: Table) -> tuple[Column, ...]:
    """Return a table's columns; the first one is the first of the primary key."""
    return tuple(
        Column(column.name, next(one for one in ENCODINGS if isinstance(column.type, one.of)))
        for column in table.columns
    )


def values_for(columns: Sequence[Column], row: Sequence[Any]) -> tuple[Any, ...]:
    """Convert a row of SQLite for asyncpg."""
    return tuple(
        None if value is None else column.encoding.for_postgres(value)
        for column, value in zip(columns, row, strict=True)
    )


def digest(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Digest:
    """Compute the digest of rows that `values_for` returned."""
    total = 0
    for row in rows:
        texts = [
            None if value is None else column.encoding.as_text(value)
            for column, value in zip(columns, row, strict=True)
        ]
        parts = "".join("n" if text is None else f"{len(text)}:{text}" for text in texts)
        found = hashlib.md5(parts.encode(), usedforsecurity=False).digest()
        total += int.from_bytes(found[:8]) >> (64 - BITS)
    return Digest(len(rows), total)


def digest_in_postgres(columns: Sequence[Column]) -> str:
    """Return the SQL expressions of a digest in PostgreSQL: the number of rows, the checksum."""
    texts = [column.encoding.as_text_in_postgres.format(f'"{column.name}"') for column in columns]
    parts = [f"coalesce(length({text}) || ':' || {text}, 'n')" for text in texts]
    digits = f"substr(md5({' || '.join(parts)}), 1, {BITS // 4})"
    return f"count(*), coalesce(sum(('x' || {digits})::bit({BITS})::bigint), 0)"
