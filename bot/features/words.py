"""`!words`: which words the team wants and rejects, how firmly, and what one taught oneself.

The votes are added up as a run would add them up now: the same standing votes, ages and limits.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import discord
import numpy as np
from discord.ext import commands

from bot.answering.team_words import all_denied
from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_FIELD, clipped, escape
from bot.settings import Settings
from bot.texts import say
from bot.visibility import open_channel_ids, readable_channel_ids
from bot.wiring import Parts
from storage.database import Database
from storage.people.privacy import is_opted_out
from storage.team_words import read_words
from storage.votes.consensus import StandingVote, all_standing_votes, private_hashes
from storage.votes.predictions import newest_vote_at
from storage.votes.shown_queries import voted_queries
from storage.votes.sources import is_source
from training.inference.vocabulary import WORD
from training.votes.aggregation import LimitedParts, VoteArrays, aggregate_parts, decay_weights

SHOWN_WORDS, SHOWN_OWN = 10, 10
READINGS, READINGS_WITHIN_S = 4, 30.0  # it reads all votes
MAX_WORD = 60
NEVER = datetime.max.replace(tzinfo=UTC)

Item = tuple[str, int, str]  # query hash, mask, word


@dataclass(frozen=True, slots=True)
class RatedWord:
    """The votes on one word for one mask of a query, as a run adds them up.

    Attributes:
        up, down: Weight for and against, in fresh votes of an average voter.
        voters: How many people's votes have weight.
        is_judged: Whether it counts: enough voters, and a margin.
        votes: The standing votes.
    """

    up: float
    down: float
    voters: int
    is_judged: bool
    votes: tuple[StandingVote, ...]

    @property
    def is_wanted(self) -> bool:
        """Whether the votes are for the word."""
        return self.up > self.down


@dataclass(slots=True)
class WordSummary:
    """A word over all sentences in which the team wants it, or in all in which it rejects it."""

    word: str
    agreeing: float = 0.0
    weight: float = 0.0
    sentences: set[tuple[str, int]] = field(default_factory=set)
    voters: set[int] = field(default_factory=set)
    since: datetime = NEVER

    def add(self, item: Item, rated: RatedWord) -> None:
        """Add the votes on the word in one sentence."""
        sign = 1 if rated.is_wanted else -1
        self.agreeing += max(rated.up, rated.down)
        self.weight += rated.up + rated.down
        self.sentences.add(item[:2])
        self.voters |= {vote.voter_id for vote in rated.votes}
        self.since = min([self.since, *(v.cast_at for v in rated.votes if v.value == sign)])


class Words(commands.Cog):
    """The command `!words`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database, self._settings = parts.discord.bot, parts.storage.database, parts.settings

    @command("words", group="insight", is_ephemeral=True, cooldown=(READINGS, READINGS_WITHIN_S))
    async def words(self, context: Context) -> None:
        """Show which words the team wants and rejects, and what the asker taught."""
        person_id = context.author.id
        shown = set(await voted_queries(self._database, await self._channel_ids(context)))
        rated = await rated_words(self._database, self._settings)
        embed = words_embed(
            {item: one for item, one in rated.items() if item[0] in shown},
            person_id=person_id,
            min_voters=self._settings.needed_voters,
            is_out=await is_opted_out(self._database, person_id),
            preferred=[one.word for one in await read_words(self._database, "preferred")],
        )
        await send_reply(context, embed=embed, ephemeral=True)

    async def _channel_ids(self, context: Context) -> Collection[int]:
        """Return the channels whose queries everyone who sees the reply may read."""
        if context.interaction is None and context.guild is not None:
            return open_channel_ids(self._bot, context.channel.id)
        return readable_channel_ids(await self._bot.access.memberships(context.author, with_channels=True))


def add(parts: Parts) -> None:
    """Add `!words`."""
    parts.discord.bot.add_cogs(Words(parts))


async def rated_words(
    database: Database, settings: Settings, *, now: datetime | None = None
) -> dict[Item, RatedWord]:
    """Add all votes up as a run that started now would; votes that a run leaves out are left out."""
    newest = await newest_vote_at(database, until=now or datetime.now(UTC))
    private = await private_hashes(database)
    denied = await all_denied(database)
    votes: list[StandingVote] = []
    async for chunk in all_standing_votes(database):
        votes += [
            vote
            for vote in chunk
            if vote.query_hash not in private
            and vote.word.lower() not in denied
            and WORD.fullmatch(vote.word)
        ]
    if not votes or newest is None:
        return {}
    return await asyncio.to_thread(
        _added_up,
        votes,
        aged_at=newest,
        min_voters=settings.needed_voters,
        half_life_days=settings.vote_half_life_days,
    )


def _added_up(
    votes: Sequence[StandingVote], *, aged_at: datetime, min_voters: int, half_life_days: float
) -> dict[Item, RatedWord]:
    by_item: defaultdict[Item, list[StandingVote]] = defaultdict(list)
    for vote in votes:
        by_item[vote.query_hash, vote.mask_index, vote.word].append(vote)
    items = sorted(by_item)
    voters = {voter: number for number, voter in enumerate(sorted({vote.voter_id for vote in votes}))}
    rows = [(number, vote) for number, item in enumerate(items) for vote in by_item[item]]
    ages = np.array([(aged_at - vote.cast_at) / timedelta(days=1) for _, vote in rows])
    part = VoteArrays.of(
        [number for number, _ in rows],
        [voters[vote.voter_id] for _, vote in rows],
        [vote.value for _, vote in rows],
        decay_weights(ages, half_life_days=half_life_days),
        [vote.weight for _, vote in rows],
    )
    sources = np.array([is_source(voter) for voter in voters], dtype=np.bool_)
    limited = LimitedParts.of([part], half_life_days=half_life_days, sources=sources)
    (consensus,) = aggregate_parts(limited, min_voters=min_voters, sources=sources)
    return {
        item: RatedWord(
            float(consensus.up[number]),
            float(consensus.down[number]),
            int(consensus.voters[number]),
            bool(consensus.judged[number]),
            tuple(by_item[item]),
        )
        for number, item in enumerate(items)
    }


def words_embed(
    rated: Mapping[Item, RatedWord],
    *,
    person_id: int,
    min_voters: int,
    is_out: bool,
    preferred: Sequence[str] = (),
) -> discord.Embed:
    """Show the preferred, the wanted and the rejected words, and those that a person rated."""
    embed = discord.Embed(title=say("words.title"), colour=COLOUR)
    summaries: dict[bool, dict[str, WordSummary]] = {True: {}, False: {}}
    for item, one in rated.items():
        if one.is_judged:
            of_sign = summaries[one.is_wanted]
            of_sign.setdefault(item[2].lower(), WordSummary(item[2])).add(item, one)
    if not any(summaries.values()):
        embed.description = say("words.none", n=min_voters)
    if preferred:
        lines = [f"★ {escape(word)}" for word in preferred[:SHOWN_WORDS]]
        more = len(preferred) - len(lines)
        embed.add_field(name=say("words.preferred"), value=_fitting(lines, more), inline=False)
    for is_wanted, name in ((True, say("words.wanted")), (False, say("words.rejected"))):
        ordered = sorted(summaries[is_wanted].values(), key=lambda s: (-(2 * s.agreeing - s.weight), s.word))
        if lines := [_summary_line(one) for one in ordered[:SHOWN_WORDS]]:
            more = len(ordered) - len(lines)
            embed.add_field(name=name, value=_fitting(lines, more), inline=False)
    own = _own_lines(rated, person_id=person_id, min_voters=min_voters)
    if is_out:
        embed.add_field(name=say("words.own"), value=say("words.out"), inline=False)
    elif own:
        more = len(own) - SHOWN_OWN
        embed.add_field(name=say("words.own"), value=_fitting(own[:SHOWN_OWN], more), inline=False)
    embed.set_footer(text=say("words.footer"))
    return embed


def _summary_line(one: WordSummary) -> str:
    return say(
        "words.line",
        word=escape(clipped(one.word, MAX_WORD)),
        share=one.agreeing / (one.weight or 1.0),
        people=_voters(one.voters),
        sentences=say("words.sentences", n=len(one.sentences)),
        date=discord.utils.format_dt(one.since, "d"),
    )


def _voters(voter_ids: Collection[int]) -> str:
    sources = sum(map(is_source, voter_ids))
    people = len(voter_ids) - sources
    parts = [say("people", n=people)] * bool(people) + [say("words.sources", n=sources)] * bool(sources)
    return ", ".join(parts)


def _own_lines(rated: Mapping[Item, RatedWord], *, person_id: int, min_voters: int) -> list[str]:
    """List the words that a person rated, the latest first, each with what became of it."""
    latest: dict[tuple[str, int, str], datetime] = {}
    for (_, _, word), one in rated.items():
        for vote in one.votes:
            if vote.voter_id == person_id:
                key = word, int(vote.value), _state(one, vote.value, min_voters)
                latest[key] = max(vote.cast_at, latest.get(key, vote.cast_at))
    newest_first = sorted(latest, key=lambda key: (latest[key], key), reverse=True)
    return [
        say(
            "words.own_line",
            thumb="👍" if value > 0 else "👎",
            word=escape(clipped(word, MAX_WORD)),
            state=say(f"words.states.{state}"),
        )
        for word, value, state in newest_first
    ]


def _state(one: RatedWord, value: int, min_voters: int) -> str:
    if one.is_judged:
        return "counts" if one.is_wanted == (value > 0) else "outvoted"
    return "waits" if one.voters < min_voters else "disputed"


def _fitting(lines: Iterable[str], more: int) -> str:
    """Join as many whole lines as fit in a field, and say how many more there are."""
    text, left = "", list(lines)
    while left and len(text) + len(left[0]) + 40 < MAX_FIELD:
        text += f"{left.pop(0)}\n"
    hidden = len(left) + max(more, 0)
    return text + (say("run.and_more", n=hidden) if hidden else "")
