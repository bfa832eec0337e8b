"""Order-independent checksums of rows that SQLite and PostgreSQL agree on.

A row is encoded as its values with their lengths; the checksum is the sum of the first 60 bits of the rows'
MD5 digests. It detects accidents, not attacks.
"""

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, Boolean, Float, Integer, Table

from storage.backends.postgres import strict_json
from storage.schema import UtcDateTime

Kind = Literal["integer", "float", "boolean", "time", "json", "text"]
BITS = 60
KINDS: tuple[tuple[type, Kind], ...] = (
    (Boolean, "boolean"),
    (UtcDateTime, "time"),
    (JSON, "json"),
    (Float, "float"),
    (BigInteger, "integer"),
    (Integer, "integer"),
)
AS_TEXT: dict[Kind, str] = {
    "integer": "{}::text",
    "float": "encode(float8send({}), 'hex')",
    "boolean": "{}::int::text",
    "time": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "json": "{}::text",
    "text": "{}",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column and how its values are encoded."""

    name: str
    kind: Kind


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
    return tuple(Column(column.name, _kind_of(column.type)) for column in table.columns)


def values_for(columns: Sequence[Column], row: Sequence[Any]) -> tuple[Any, ...]:
    """Convert a row of SQLite for asyncpg."""
    return tuple(_value(column.kind, value) for column, value in zip(columns, row, strict=True))


def digest(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Digest:
    """Compute the digest of rows that `values_for` returned."""
    total = 0
    for row in rows:
        parts = [_part(column.kind, value) for column, value in zip(columns, row, strict=True)]
        found = hashlib.md5("".join(parts).encode(), usedforsecurity=False).digest()
        total += int.from_bytes(found[:8]) >> (64 - BITS)
    return Digest(len(rows), total)


def digest_in_postgres(columns: Sequence[Column]) -> str:
    """Return the SQL expressions of a digest in PostgreSQL: the number of rows, the checksum."""
    texts = [AS_TEXT[column.kind].format(f'"{column.name}"') for column in columns]
    parts = [f"coalesce(length({text}) || ':' || {text}, 'n')" for text in texts]
    digits = f"substr(md5({' || '.join(parts)}), 1, {BITS // 4})"
    return f"count(*), coalesce(sum(('x' || {digits})::bit({BITS})::bigint), 0)"


def _kind_of(kind: Any) -> Kind:
    return next((name for of, name in KINDS if isinstance(kind, of)), "text")


def _value(kind: Kind, value: Any) -> Any:
    if value is None or kind == "integer":
        return value
    if kind == "time":
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if kind == "boolean":
        return bool(value)
    if kind == "float":
        return float(value)
    if kind == "json":
        return strict_json(json.loads(value)) if "NaN" in value or "Infinity" in value else value
    return value.replace("\0", "")  # PostgreSQL does not store NUL


def _part(kind: Kind, value: Any) -> str:
    if value is None:
        return "n"
    if kind == "time":
        text = value.strftime("%Y-%m-%d %H:%M:%S.%f")
    elif kind == "float":
        text = struct.pack(">d", value).hex()
    elif kind == "boolean":
        text = str(int(value))
    else:
        text = str(value)
    return f"{len(text)}:{text}"
