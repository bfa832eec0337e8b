"""The vote checks: votes from the database → quality flags → judgements → weights, as UpTrain `CheckSet`s."""

import contextlib
import math
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from storage.database import Database
from storage.people.personal_data import PLACEHOLDER
from storage.votes.predictions import count_votes, votes_until
from storage.votes.sources import is_source
from training.progress import NO_PROGRESS, Progress
from training.synchronous_database import SynchronousDatabase
from training.votes.aggregation import HALF_LIFE_DAYS, Consensus, LimitedParts, aggregate_parts
from training.votes.checks.approval import ApprovalCounts
from training.votes.checks.edge_cases import EdgeCaseWeights
from training.votes.checks.framework import (
    Check,
    CheckSet,
    ColumnOp,
    FrameSource,
    NoSetup,
    TransformOp,
    first_reason,
    register_op,
    run,
)
from training.votes.checks.queries import CountQueryWords, Novelty, QueryWords, word_drift
from training.votes.checks.report import JUDGEMENTS, ChecksReport, ResultCollector
from training.votes.checks.vote_spool import ITEM, NumberedVotes, PartSpool, VoteSpool

SCHEMA: dict[str, Any] = {
    "prediction_id": pl.Int64,
    "query": pl.Utf8,
    "query_hash": pl.Utf8,
    "mask_index": pl.Int64,
    "word": pl.Utf8,
    "voter_id": pl.Int64,  # never in a result: UpTrain writes those to a file
    "via": pl.Utf8,
    "value": pl.Int64,
    "cast_at": pl.Datetime("us", "UTC"),
    "weight": pl.Float64,
    "score": pl.Float64,
    "adjusted": pl.Boolean,
    "model_version": pl.Utf8,
}
PART_VOTES = 1_000_000  # take about 1 GB while they are checked
CONFIG = "config.json"  # UpTrain's record of the checks
PART = "part"  # subfolder of the part that is being checked


@register_op
class LatestVote(NoSetup, TransformOp):
    """Keeps each voter's standing vote on a (query, mask, word), as `storage.votes.standing` defines it.

    The rule has a polars form here, as a run needs the votes that do not stand as well: the quality flags
    count every vote, and approval is computed for each model version.

    Attributes:
        per_version: whether to keep one vote for each model version that offered the word.
    """

    per_version: bool = False

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Sort the votes by precedence and keep the last of each voter."""
        subset = [*ITEM, "voter_id", *(["model_version"] if self.per_version else [])]
        ordered = data.sort(pl.col("via") != "reaction", "cast_at", "prediction_id", "via")
        return {"output": ordered.unique(subset=subset, keep="last", maintain_order=True)}


@register_op
class VoteQuality(NoSetup, ColumnOp):
    """Adds `flag`, the first quality rule that a vote fails; empty for a clean vote."""

    denied: list[str]
    max_chars: int = 2000

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Add the column."""
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
        return {"output": data.with_columns(first_reason(rules).alias("flag"))}


@register_op
class RejectedVotes(NoSetup, TransformOp):
    """Counts the votes that each quality rule rejected."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Return one row per flag."""
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
    aged_at: datetime | None = None,
    previous_as_of: datetime | None = None,
    progress: Progress = NO_PROGRESS,
    part_votes: int = PART_VOTES,
) -> ChecksReport:
    """Check and aggregate the votes up to `as_of`. Blocking; `folder` is emptied first.

    Votes are read and checked in parts, by query, so that memory does not grow with their number. Only the
    reliability of the voters is estimated over all parts together.

    Args:
        database_url: the database with the votes.
        folder: where to write the results.
        as_of: later votes do not count.
        min_voters: voters that a word needs to be judged.
        denied: words on which no vote counts.
        half_life_days: age in days at which a vote weighs half.
        aged_at: the time at which the age of votes is taken; None: `as_of`.
        previous_as_of: the `as_of` of the previous run, which defines what is new, or None.
        progress: advanced twice per part.
        part_votes: approximate number of votes in a part.
    """
    shutil.rmtree(folder, ignore_errors=True)
    as_of, previous_as_of = as_of.astimezone(UTC), previous_as_of and previous_as_of.astimezone(UTC)
    quality = VoteQuality(denied=[word.lower() for word in denied])
    aged_at = as_of if aged_at is None else aged_at.astimezone(UTC)
    numbered = NumberedVotes(aged_at=aged_at, half_life_days=half_life_days)
    queries = CountQueryWords(previous_as_of=previous_as_of, min_voters=min_voters)
    results = ResultCollector()
    with contextlib.closing(VoteSpool(folder)) as spool:
        for part in read_votes(database_url, as_of, folder, part_votes=part_votes, progress=progress):
            checks = CheckSet(
                source=FrameSource.of(part, [quality]),
                checks=[
                    Check("rejected", [RejectedVotes()]),
                    Check("cast", [LatestVote(), numbered]),
                    Check("approval", [LatestVote(per_version=True), ApprovalCounts()]),
                    Check("queries", [queries]),
                ],
            )
            run(checks, folder / PART)
            spool.add(numbered)
            results.add(part["voter_id"], folder / PART, queries.query_words)
        if not len(spool):
            return ChecksReport(judgements=[])
        (folder / PART / CONFIG).replace(folder / CONFIG)
        (folder / JUDGEMENTS).touch()
        progress.step("weighing the votes", len(spool))
        query_words = QueryWords.merged(results.query_words)
        sources = np.array([is_source(voter) for voter in spool.voters.tolist()], dtype=np.bool_)
        limited = LimitedParts.of(spool, half_life_days=half_life_days, sources=sources)
        judged = aggregate_parts(limited, min_voters=min_voters, sources=sources)
        for number, consensus in enumerate(judged):
            _append_judgements(spool.items(number), consensus, query_words.seen, folder)
            progress.advance()
        reliability = dict(zip(spool.voters.tolist(), judged[0].reliability.tolist(), strict=True))
    shutil.rmtree(folder / PART)
    return results.report(
        folder,
        reliability=reliability,
        drift=word_drift(query_words, min_voters=min_voters),
        limited_voters=limited.people,
    )


def _append_judgements(items: pl.DataFrame, consensus: Consensus, seen: pl.Series, folder: Path) -> None:
    """Weigh the judged items of a part, and append them to the judgements of the other parts."""
    known = items.with_columns(
        pl.Series("up", consensus.up, dtype=pl.Float64),
        pl.Series("down", consensus.down, dtype=pl.Float64),
        pl.Series("voters", consensus.voters, dtype=pl.Int64),
    ).filter(pl.Series(consensus.judged, dtype=pl.Boolean))
    if not len(known):  # UpTrain raises on an empty source
        return
    source = FrameSource.of(known, [Novelty.of(seen)])
    run(CheckSet(source=source, checks=[Check("judgements", [EdgeCaseWeights()])]), folder / PART)
    with (folder / JUDGEMENTS).open("ab") as file, (folder / PART / JUDGEMENTS).open("rb") as part:
        shutil.copyfileobj(part, file)


def read_votes(
    database_url: str,
    as_of: datetime,
    folder: Path,
    *,
    part_votes: int = PART_VOTES,
    progress: Progress = NO_PROGRESS,
) -> Iterator[pl.DataFrame]:
    """Yield the votes up to a time in parts by query, each oldest first. Blocking; no part is empty.

    The database is read once, from end to end, and the parts are collected in an unnamed file in `folder`. A
    query for each part would read all votes for each of them.
    """
    with SynchronousDatabase.open(database_url) as database, contextlib.ExitStack() as stack:
        count = database.call(count_votes)
        parts = max(1, math.ceil(count / part_votes))
        spool = stack.enter_context(contextlib.closing(PartSpool(folder, parts)))
        progress.step("reading the votes", count)
        database.call(_collect, as_of, spool, progress)
        progress.step("checking the votes", parts)
        for number in range(parts):
            part = spool.read(number)
            if len(part):
                yield part.sort("cast_at", "prediction_id", "mask_index", "word", "voter_id", "via")
            progress.advance()


async def _collect(database: Database, as_of: datetime, spool: PartSpool, progress: Progress) -> None:
    async for columns in votes_until(database, as_of, is_ordered=False):
        votes = pl.DataFrame({name: columns[name] for name in SCHEMA}, schema=SCHEMA)
        spool.add(votes)
        progress.advance(len(votes))
