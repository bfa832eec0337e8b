"""`!export`: the aggregated votes as CSV, without voters and without formulas for a spreadsheet."""

import asyncio
import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from discord.ext import commands

from bot.answering.vote_adjustment import VoteRules
from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.privacy.delivery import send_privately
from bot.texts import say
from bot.visibility import readable_channel_ids
from bot.wiring import Parts
from storage.people.personal_data import has_placeholder
from storage.votes.predictions import votes_until
from storage.votes.shown_queries import voted_queries
from storage.votes.sources import is_source
from storage.votes.standing import Precedence, precedence
from training.votes.aggregation import aggregate_votes, decay_weights

CHUNK_ROWS = 2_000  # rows read before other tasks get a turn
FILE_NAME = "fillbot-judgements.csv"
HEADER = ("query", "mask", "word", "up", "down", "voters", "last_vote_at")
# Spreadsheets also start a formula after leading whitespace, and with full-width characters.
FORMULA = re.compile(r"[\t\r\n]|[\s\u200b\ufeff]*[=+\-@＝＋－＠]")

Item = tuple[str, int, str]  # query hash, mask, word


class Export(commands.Cog):
    """The command `!export`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database, self._settings = parts.discord.bot, parts.storage.database, parts.settings

    @command("export", group="insight", is_for_admins=True, is_ephemeral=True)
    async def export(self, context: Context) -> None:
        """Send an admin the judgements on the queries that they may read."""
        members = await self._bot.access.memberships(context.author, with_channels=True)
        found = await voted_queries(self._database, readable_channel_ids(members))
        queries = {name: query for name, query in found.items() if not has_placeholder(query)}
        standing, rules = StandingVotes(queries), VoteRules.of(self._settings)
        async for chunk in votes_until(self._database, rules.now, chunk_rows=CHUNK_ROWS):
            standing.add(chunk)
        rows = await asyncio.to_thread(standing.judged, rules)
        if not rows:
            await send_reply(context, say("export.nothing"), ephemeral=True)
            return
        await send_privately(context, say("export.done", n=len(rows)), name=FILE_NAME, content=to_csv(rows))


def add(parts: Parts) -> None:
    """Add `!export`."""
    parts.discord.bot.add_cogs(Export(parts))


@dataclass(slots=True)
class StandingVotes:
    """The standing votes, read chunk by chunk.

    Attributes:
        queries: those that may be shown, by their hash; votes on others are left out.
    """

    queries: Mapping[str, str]
    _standing: dict[Item, dict[int, tuple[Precedence, int, float]]] = field(default_factory=dict)

    def add(self, chunk: Mapping[str, Iterable[Any]]) -> None:
        """Add votes, given by column, in any order."""
        item, vote = ("query_hash", "mask_index", "word"), ("voter_id", "via", "value", "cast_at", "weight")
        names = ("prediction_id", *item, *vote)
        rows = zip(*(chunk[name] for name in names), strict=True)
        for prediction_id, query_hash, mask, word, voter, via, value, cast_at, weight in rows:
            if query_hash not in self.queries:
                continue
            votes = self._standing.setdefault((query_hash, mask, word), {})
            cast = precedence(via, cast_at, prediction_id), value, weight
            votes[voter] = max(cast, votes.get(voter, cast))

    def judged(self, rules: VoteRules) -> list[tuple[Any, ...]]:
        """Return the rows by query, mask and word, aggregated as in a run. Slow for many votes."""
        items = sorted(self._standing, key=lambda item: (self.queries[item[0]], *item))
        numbers: dict[int, int] = {}
        rows = [
            (item, numbers.setdefault(voter, len(numbers)), value, weight, cast_at)
            for item, key in enumerate(items)
            for voter, ((_, cast_at, *_), value, weight) in self._standing[key].items()
        ]
        ages = np.array([(rules.now - cast_at) / timedelta(days=1) for *_, cast_at in rows])
        consensus = aggregate_votes(
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2] for row in rows],
            age_weights=decay_weights(ages, half_life_days=rules.half_life_days),
            vote_weights=[row[3] for row in rows],
            sources=np.array([is_source(voter_id) for voter_id in numbers], dtype=np.bool_),
            min_voters=rules.min_voters,
        )
        return [
            (
                self.queries[items[i][0]],
                items[i][1],
                items[i][2],
                round(float(consensus.up[i]), 3),
                round(float(consensus.down[i]), 3),
                int(consensus.voters[i]),
                max(cast_at for (_, cast_at, *_), *_ in self._standing[items[i]].values()),
            )
            for i in np.flatnonzero(consensus.judged)
        ]


def to_csv(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """Return the table in UTF-8 with a byte-order mark, which spreadsheets need to recognise it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")


def _harmless(cell: Any) -> Any:
    """Prefix text that a spreadsheet would take for a formula."""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell
