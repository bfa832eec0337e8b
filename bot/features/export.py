"""`!export`: the aggregated votes without voters, as CSV or as JSON lines.

The CSV has no formulas for a spreadsheet. The JSON lines have the columns of `datasets` and TRL: preference
pairs (`prompt`, `chosen`, `rejected`) and those of KTO (`prompt`, `completion`, `label`).
"""

import asyncio
import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, product
from typing import Any, Literal

import numpy as np
from discord.ext import commands

from bot.answering.team_words import all_denied
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
from training.inference.encoder import MASK
from training.votes.aggregation import aggregate_votes, decay_weights

CHUNK_ROWS = 2_000  # rows read before other tasks get a turn
Form = Literal["csv", "pairs", "kto"]
FILE_NAMES: dict[Form, str] = {
    "csv": "fillbot-judgements.csv",
    "pairs": "fillbot-pairs.jsonl",
    "kto": "fillbot-kto.jsonl",
}
HEADER = ("query", "mask", "word", "up", "down", "voters", "last_vote_at")
# Spreadsheets also start a formula after leading whitespace, and with full-width characters.
FORMULA = re.compile(r"[\t\r\n]|[\s\u200b\ufeff]*[=+\-@＝＋－＠]")

Item = tuple[str, int, str]  # query hash, mask, word


class Export(commands.Cog):
    """The command `!export`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database, self._settings = parts.discord.bot, parts.storage.database, parts.settings

    @command("export", group="insight", is_for_admins=True, is_ephemeral=True, usage="[csv|pairs|kto]")
    async def export(self, context: Context, form: Form = "csv") -> None:
        """Send an admin the judgements on the queries that they may read."""
        members = await self._bot.access.memberships(context.author, with_channels=True)
        found = await voted_queries(self._database, readable_channel_ids(members))
        queries = {name: query for name, query in found.items() if not has_placeholder(query)}
        standing = StandingVotes(queries, await all_denied(self._database))
        rules = VoteRules.of(self._settings)
        async for chunk in votes_until(self._database, rules.now, chunk_rows=CHUNK_ROWS):
            standing.add(chunk)
        rows = await asyncio.to_thread(standing.judged, rules)
        if not rows:
            await send_reply(context, say("export.nothing"), ephemeral=True)
            return
        if form == "csv":
            text, content = say("export.done", n=len(rows)), to_csv(rows)
        else:
            entries = [*(preference_pairs if form == "pairs" else labelled_words)(rows)]
            if not entries:
                await send_reply(context, say(f"export.{form}.nothing"), ephemeral=True)
                return
            text, content = say(f"export.{form}.done", n=len(entries)), to_json_lines(entries)
        await send_privately(context, text, name=FILE_NAMES[form], content=content)


def add(parts: Parts) -> None:
    """Add `!export`."""
    parts.discord.bot.add_cogs(Export(parts))


@dataclass(slots=True)
class StandingVotes:
    """The standing votes, read chunk by chunk.

    Attributes:
        queries: those that may be shown, by their hash; votes on others are left out.
        denied: words in lower case; votes on them are left out.
    """

    queries: Mapping[str, str]
    denied: Collection[str] = frozenset()
    _standing: dict[Item, dict[int, tuple[Precedence, int, float]]] = field(default_factory=dict)

    def add(self, chunk: Mapping[str, Iterable[Any]]) -> None:
        """Add votes, given by column, in any order."""
        item, vote = ("query_hash", "mask_index", "word"), ("voter_id", "via", "value", "cast_at", "weight")
        names = ("prediction_id", *item, *vote)
        rows = zip(*(chunk[name] for name in names), strict=True)
        for prediction_id, query_hash, mask, word, voter, via, value, cast_at, weight in rows:
            if query_hash not in self.queries or word.lower() in self.denied:
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


def preference_pairs(rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield each wanted word of a sentence with each unwanted one; `rows` are those of `judged`."""
    for query, of_query in groupby(_one_blank(rows), key=lambda row: row[0]):
        sides: dict[bool, list[str]] = {True: [], False: []}
        for _, _, word, up, down, *_ in of_query:
            sides[up > down].append(word)
        for chosen, rejected in product(sides[True], sides[False]):
            yield {"prompt": query, "chosen": chosen, "rejected": rejected}


def labelled_words(rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield each word of a sentence, and whether it is wanted; `rows` are those of `judged`."""
    for query, _, word, up, down, *_ in _one_blank(rows):
        yield {"prompt": query, "completion": word, "label": up > down}


def to_json_lines(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """Return one JSON object a line, in UTF-8."""
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()


def _one_blank(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Leave out sentences with several masks: the prompt would not say which one a word is for."""
    return [row for row in rows if row[0].count(MASK) == 1]


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
