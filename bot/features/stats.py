"""`!stats`: how the team voted in the last 30 days, in words and a picture."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import discord
from discord.ext import commands

from bot.commands.context import Context, send_reply
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_FIELD, clipped, escape
from bot.errors import PictureError
from bot.subprocesses.charts import DRAWINGS, DRAWINGS_WITHIN_S, attach
from bot.texts import number, say
from bot.visibility import open_channel_ids
from bot.wiring import Parts
from storage.votes import stats as statistics
from storage.votes.approval import Totals, totals
from storage.votes.stats import ContestedWord, HourVotes, TopVoter, VersionVotes
from training.inference.encoder import MASK

DAYS = 30
MAX_SENTENCE = 120  # characters, so that five stand in a field
SHOWN_VERSIONS, SHOWN_SENTENCES, SHOWN_HELPERS = 8, 5, 5


@dataclass(frozen=True, slots=True)
class TeamStats:
    """The statistics of the last 30 days; `contested` holds only queries that the channel may see."""

    totals: Totals
    hours: Sequence[HourVotes]
    versions: Sequence[VersionVotes]
    contested: Sequence[ContestedWord]
    helpers: Sequence[TopVoter]


class Stats(commands.Cog):
    """The command `!stats`."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database = parts.discord.bot, parts.storage.database
        self._pictures, self._zone = parts.announcing.pictures, parts.settings.zone

    @command("stats", group="charts", cooldown=(DRAWINGS, DRAWINGS_WITHIN_S))
    async def stats(self, context: Context) -> None:
        """Show how the team voted lately."""
        now, zone = datetime.now(UTC), self._zone
        team = await self._team(context.channel.id, since=first_day(now, zone))
        embed, file = stats_embed(team), None
        if team.totals.votes:
            try:
                png = await self._pictures.draw("stats", **stats_figures(team, now=now, zone=zone))
                file = attach(embed, png, name="stats", about=embed.description or "")
            except PictureError as error:
                embed.add_field(name=say("model.note"), value=str(error), inline=False)
        await send_reply(context, embed=embed, file=file)

    async def _team(self, channel_id: int, *, since: datetime) -> TeamStats:
        database, channels = self._database, open_channel_ids(self._bot, channel_id)
        return TeamStats(
            *await asyncio.gather(
                totals(database, since=since),
                statistics.votes_by_hour(database, since=since),
                statistics.votes_by_version(database, since=since, most=SHOWN_VERSIONS),
                statistics.contested_words(database, since=since, channel_ids=channels, most=SHOWN_SENTENCES),
                statistics.top_voters(database, since=since, most=SHOWN_HELPERS),
            )
        )


def add(parts: Parts) -> None:
    """Add `!stats`."""
    parts.discord.bot.add_cogs(Stats(parts))


def first_day(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of the first day covered."""
    today = now.astimezone(zone).date()
    return datetime.combine(today - timedelta(days=DAYS - 1), datetime.min.time(), zone)


def stats_figures(stats: TeamStats, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Return what `training draw` needs for the picture: votes on each day, and by version."""
    by_day: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0])
    for hour in stats.hours:
        of_day = by_day[hour.hour_at.astimezone(zone).date()]
        of_day[0] += hour.up
        of_day[1] += hour.down
    first = first_day(now, zone).date()
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return {
        "days": [[day.isoformat(), *by_day[day]] for day in days],
        "versions": [[version.version, version.liked, version.votes] for version in stats.versions],
    }


def stats_embed(stats: TeamStats) -> discord.Embed:
    """Show totals, the most contested words, and who voted most."""
    totals = stats.totals
    embed = discord.Embed(title=say("stats.title", days=DAYS), colour=COLOUR)
    if not totals.votes:
        embed.description = say("stats.none")
        return embed
    embed.description = say(
        "stats.totals",
        n=totals.votes,
        people=say("people", n=totals.voters),
        liked=totals.liked,
        disliked=totals.votes - totals.liked,
    )
    if stats.contested:
        lines = [
            f"{_filled(one)} · 👍 {number(one.up, ',')} 👎 {number(one.down, ',')}" for one in stats.contested
        ]
        embed.add_field(name=say("stats.contested"), value=clipped("\n".join(lines), MAX_FIELD), inline=False)
    if stats.helpers:
        lines = [_helper(one) for one in stats.helpers]
        embed.add_field(name=say("stats.helpers"), value=clipped("\n".join(lines), MAX_FIELD), inline=False)
    return embed


def _helper(one: TopVoter) -> str:
    """Name a voter, with how many votes and, if there are some, with how many others agree."""
    who = f"<@{one.user_id}>"
    if not one.agreed:  # often because no other person rated the same words, so it would say nothing
        return say("stats.helper", who=who, n=one.votes)
    return say("stats.helper_confirmed", who=who, n=one.votes, agreed=one.agreed)


def _filled(one: ContestedWord) -> str:
    """Return the sentence with the word in bold in its place."""
    parts = one.query.split(MASK)
    at = min(one.mask_index, len(parts) - 2)
    before, after = MASK.join(parts[: at + 1]), MASK.join(parts[at + 1 :])
    half = (MAX_SENTENCE - len(one.word)) // 2
    before = before if len(before) <= half else "…" + before[1 - half :]
    return f"{escape(before)}**{escape(clipped(one.word, 60))}**{escape(clipped(after, half))}"
