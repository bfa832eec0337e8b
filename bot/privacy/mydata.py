"""Everything stored about one person, as a JSON file that people can read."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.errors import TooLargeError
from bot.texts import say
from storage.database import Database
from storage.people import privacy

MAX_BYTES = 60_000_000  # uncompressed; further rows are left out
NAME = "fillbot-my-data.json"


@dataclass(frozen=True, slots=True)
class PersonalDataFile:
    """The file, how much it holds, and whether it is compressed or incomplete."""

    name: str
    content: bytes
    votes: int
    queries: int
    is_zipped: bool
    is_cut: bool


async def export_personal_data(
    database: Database,
    user_id: int,
    *,
    versions: Iterable[str],
    limit_bytes: int,
    max_bytes: int = MAX_BYTES,
) -> PersonalDataFile:
    """Collect everything stored about a person, newest first; compressed if larger than `limit_bytes`.

    Raises:
        TooLargeError: it is larger than that even when compressed.
    """
    known = await privacy.summarize(database, user_id)
    runs = await privacy.runs_since(database, known.counted_since) if known.counted_since else []
    facts: dict[str, Any] = {
        "explanation": say("privacy.explanation"),
        "your_id": user_id,
        "opted_out_at": known.opted_out_at,
        "reliability": known.reliability,
        "versions_that_learnt_from_your_votes": list(versions),
        "runs_that_read_your_votes": [{"version": row.pop("challenger"), **row} for row in runs],
    }
    waiting = await privacy.announcements_for(database, user_id)
    facts["announcements_not_sent_yet"] = [json.loads(_json(row)) for row in waiting]
    facts["thumbs_taken_back_by_command"] = await privacy.undone_thumbs_of(database, user_id)
    facts["decisions_as_an_admin"] = await privacy.decisions_of(database, user_id)
    out = io.BytesIO()
    for name, value in facts.items():
        out.write(f"{'{' if not out.tell() else ','}\n{json.dumps(name)}: {_json(value)}".encode())
    written = {}
    for name, rows in (
        ("votes", privacy.votes_of(database, user_id)),
        ("questions", privacy.queries_of(database, user_id)),
    ):
        written[name] = await _write(out, name, rows, max_bytes=max_bytes)
    out.write(b"\n}\n")
    content = out.getvalue()
    is_zipped = len(content) > limit_bytes
    if is_zipped:
        content = await asyncio.to_thread(gzip.compress, content)  # a second or two for the largest
    if len(content) > limit_bytes:
        raise TooLargeError
    return PersonalDataFile(
        f"{NAME}.gz" if is_zipped else NAME,
        content,
        written["votes"],
        written["questions"],
        is_zipped,
        is_cut=written != {"votes": known.votes, "questions": known.queries},
    )


async def _write(out: io.BytesIO, name: str, rows: AsyncIterator[dict[str, Any]], *, max_bytes: int) -> int:
    """Write rows until `max_bytes` is reached. Returns how many."""
    out.write(f",\n{json.dumps(name)}: [".encode())
    count = 0
    async for row in rows:
        if out.tell() > max_bytes:
            break
        out.write(f"{',' if count else ''}\n  {_json(row)}".encode())
        count += 1
    out.write(b"\n]")
    return count


def _json(value: Any) -> str:
    """JSON with times as ISO 8601, and ids as text, since JavaScript numbers cannot hold them."""
    if isinstance(value, dict):
        value = {k: str(v) if k.endswith("_id") and v is not None else v for k, v in value.items()}
    elif isinstance(value, int) and abs(value) > 2**53:
        value = str(value)
    return json.dumps(value, ensure_ascii=False, default=datetime.isoformat)
