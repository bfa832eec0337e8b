"""Votes from the database → quality flags → judgements → weights: a real `CheckSet` of our operators."""

import asyncio
import contextlib
import math
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from storage.database import Database
from storage.people.personal_data import PLACEHOLDER
from storage.votes.predictions import count_votes, votes_until
from training.progress import Progress, Silent
from training.votes.aggregation import HALF_LIFE_DAYS, Consensus, judge_parts
from training.votes.checks.approval import Approval
from training.votes.checks.ballots import ITEM, Cast, Spool
from training.votes.checks.edge_cases import EdgeCases
from training.votes.checks.framework import (
    Check,
    CheckSet,
    ColumnOp,
    FrameSource,
    Ready,
    TransformOp,
    register_op,
    run,
)
from training.votes.checks.queries import Novelty, Queries, Spoken, drift
from training.votes.checks.report import JUDGEMENTS, ChecksReport, Found

SCHEMA: dict[str, Any] = {
    "prediction_id": pl.Int64,
    "query": pl.Utf8,
    "query_hash": pl.Utf8,
    "mask_index": pl.Int64,
    "word": pl.Utf8,
    "voter_id": pl.Int64,  # never in a result: those go through JSON to a file
    "via": pl.Utf8,
    "value": pl.Int64,
    "cast_at": pl.Datetime("us", "UTC"),
    "score": pl.Float64,
    "adjusted": pl.Boolean,
    "model_version": pl.Utf8,
}
PART_VOTES = 1_000_000  # about 1 GB while they are checked
CONFIG = "config.json"  # UpTrain's record of what was checked
PART = "part"  # the folder, in that of the results, of the part that is being checked


@register_op
class LatestVote(Ready, TransformOp):
    """Keep the standing vote of each voter on a (query, mask, word), as `storage.votes.standing` defines it.

    The rule has a polars form here, as a run needs the votes that do not stand as well: the quality flags
    count every vote, and approval is computed for each model version.

    Attributes:
        per_version: Whether to keep a vote per model version.
    """

    per_version: bool = False

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Sort the votes by precedence and keep the last of each voter."""
        subset = [*ITEM, "voter_id", *(["model_version"] if self.per_version else [])]
        ordered = data.sort(pl.col("via") != "reaction", "cast_at", "prediction_id", "via")
        return {"output": ordered.unique(subset=subset, keep="last", maintain_order=True)}


@register_op
class QualityFlags(Ready, ColumnOp):
    """The first failed rule of each vote in `flag`; empty where it is clean."""

    denied: list[str]
    max_chars: int = 2000

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Flag."""
        text, word = pl.col("query"), pl.col("word")
        rest = text.str.replace_all(r"\[MASK\]", "").str.count_matches(r"[\p{L}\p{M}]{2,}|\p{Han}")
        rules = [
            ("no mask", ~text.str.contains(r"\[MASK\]")),
            ("only masks", rest < 1),
            ("too long", text.str.len_chars() > self.max_chars),
            ("link or mention", text.str.contains(r"https?://|<[@#]")),
            ("personal data", text.str.contains(PLACEHOLDER.pattern)),
            ("not a word", ~word.str.contains(r"^(?:\p{L}\p{M}*)+(?:[-'’](?:\p{L}\p{M}*)+)*$")),
            ("denied word", word.str.to_lowercase().is_in(pl.Series(self.denied, dtype=pl.Utf8))),
            ("bad score", pl.col("score").is_not_null() & ~pl.col("score").is_between(0.0, 1.0)),
        ]
        flag = pl.lit("")
        for reason, failed in reversed(rules):
            flag = pl.when(failed).then(pl.lit(reason)).otherwise(flag)
        return {"output": data.with_columns(flag.alias("flag"))}


@register_op
class Flagged(Ready, TransformOp):
    """How many votes each quality flag rejected."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Count."""
        rejected = data.filter(pl.col("flag") != "").group_by("flag").agg(pl.len().alias("votes"))
        return {"output": rejected.sort("flag")}


def run_checks(
    database_url: str,
    folder: Path,
    *,
    as_of: datetime,
    min_voters: int,
    denied: list[str],
    half_life_days: float = HALF_LIFE_DAYS,
    previous_as_of: datetime | None = None,
    progress: Progress | None = None,
    part_votes: int = PART_VOTES,
) -> ChecksReport:
    """Run `CheckSet`s over the votes up to `as_of`. Blocking; `folder` is emptied first.

    Where there are many votes they are read and checked in parts, by query, so that memory stays the same;
    only who is how reliable is found over all parts together.

    Args:
        database_url: Where the votes are.
        folder: Where the results go.
        as_of: Later votes do not count, and those before have aged until then.
        min_voters: Voters that a word needs to be judged.
        denied: Words that no vote can bring up.
        half_life_days: After so many days a vote weighs half.
        previous_as_of: The `as_of` of the run before, which says what is new; None: there was none.
        progress: Told of every part, twice.
        part_votes: Votes in a part, about.

    Returns:
        Judgements with their weights, and what was rejected and why.
    """
    shutil.rmtree(folder, ignore_errors=True)
    progress = progress or Silent()
    as_of, previous_as_of = as_of.astimezone(UTC), previous_as_of and previous_as_of.astimezone(UTC)
    flags = QualityFlags(denied=[word.lower() for word in denied])
    cast = Cast(as_of=as_of, half_life_days=half_life_days)
    queries = Queries(previous_as_of=previous_as_of, min_voters=min_voters)
    found = Found()
    with contextlib.closing(Spool(folder)) as ballots:
        for part in read_votes(database_url, as_of, part_votes=part_votes, progress=progress):
            checks = CheckSet(
                source=FrameSource.of(part, [flags]),
                checks=[
                    Check("rejected", [Flagged()]),
                    Check("cast", [LatestVote(), cast]),
                    Check("approval", [LatestVote(per_version=True), Approval()]),
                    Check("queries", [queries]),
                ],
            )
            run(checks, folder / PART)
            ballots.add(cast)
            found.add(part["voter_id"], folder / PART, queries.spoken)
        if not len(ballots):
            return ChecksReport(judgements=[])
        (folder / PART / CONFIG).replace(folder / CONFIG)
        (folder / JUDGEMENTS).touch()
        progress.step("weighing the votes", len(ballots))
        spoken = Spoken.merged(found.spoken)
        judged = judge_parts(ballots, min_voters=min_voters)
        for number, consensus in enumerate(judged):
            _judge_items(ballots.items(number), consensus, spoken.seen, folder)
            progress.advance()
        reliability = dict(zip(ballots.voters.tolist(), judged[0].reliability.tolist(), strict=True))
    shutil.rmtree(folder / PART)
    return found.report(folder, reliability=reliability, drift=drift(spoken, min_voters=min_voters))


def _judge_items(items: pl.DataFrame, consensus: Consensus, seen: pl.Series, folder: Path) -> None:
    """Write what is judged of a part's items, with its edge cases, below what is there of others."""
    known = items.with_columns(
        pl.Series("up", consensus.up, dtype=pl.Float64),
        pl.Series("down", consensus.down, dtype=pl.Float64),
        pl.Series("voters", consensus.voters, dtype=pl.Int64),
    ).filter(pl.Series(consensus.judged, dtype=pl.Boolean))
    if not len(known):  # UpTrain raises on an empty source
        return
    source = FrameSource.of(known, [Novelty.of(seen)])
    run(CheckSet(source=source, checks=[Check("judgements", [EdgeCases()])]), folder / PART)
    with (folder / JUDGEMENTS).open("ab") as file, (folder / PART / JUDGEMENTS).open("rb") as part:
        shutil.copyfileobj(part, file)


def read_votes(
    database_url: str, as_of: datetime, *, part_votes: int = PART_VOTES, progress: Progress | None = None
) -> Iterator[pl.DataFrame]:
    """The votes up to a time, oldest first, in parts of different queries; blocking. No part is empty."""
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(database_url))
        try:
            votes = runner.run(count_votes(database))
            ranges = hash_ranges(math.ceil(votes / part_votes))
            if progress is not None:
                progress.step("checking the votes", len(ranges))
            for hashes in ranges:
                part = runner.run(_part(database, as_of, hashes))
                if len(part):
                    yield part
                if progress is not None:
                    progress.advance()
        finally:
            runner.run(database.close())


def hash_ranges(parts: int) -> list[tuple[str | None, str | None]]:
    """So many ranges of query hashes, alike in width, one at least.

    Each is from, and up to but without; None: from the first, and to the last.
    """
    bounds = [None, *(f"{0x1_0000_0000 * part // parts:08x}" for part in range(1, parts)), None]
    return list(pairwise(bounds))


async def _part(database: Database, as_of: datetime, hashes: tuple[str | None, str | None]) -> pl.DataFrame:
    chunks = [
        pl.DataFrame({name: columns[name] for name in SCHEMA}, schema=SCHEMA)
        async for columns in votes_until(database, as_of, hashes=hashes)
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *chunks])
