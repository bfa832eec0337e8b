"""`!why`: explains a word's rank in a sentence by the model, the votes, and the runs that moved it."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import discord
from discord.ext import commands

from bot.answering.predictor import CANDIDATES
from bot.answering.queries import Query
from bot.answering.vote_adjustment import ShownPrediction, VoteRules, WordVotes, adjust, weigh_votes
from bot.commands.context import Context, send_reply
from bot.commands.message_commands import message_command
from bot.commands.registration import command
from bot.embeds.replies import COLOUR, MAX_DESCRIPTION, MAX_FIELD, clipped, escape, small_percent
from bot.errors import BotError
from bot.subprocesses.word_ranks import RANKINGS, RANKINGS_WITHIN_S, VersionRanks, WordRank
from bot.texts import named, say
from bot.wiring import Parts
from storage import runs
from storage.runs import Run
from storage.votes.consensus import QueryVote
from storage.votes.predictions import shown_query
from storage.votes.standing import standing_votes
from training.errors import RegistryError
from training.inference.encoder import MASK
from training.registry.versions import Registry

MAX_WORD = 60
MAX_TITLE = 256
MAX_EARLIER = 3  # versions before the champion, without the domain model
ROOM = 5000  # for the fields, of the 6,000 characters of an embed
MOVED = math.log(1.05)  # a probability that changes by less than 5 % has not moved


@dataclass(frozen=True, slots=True)
class Reasons:
    """Everything that explains a word's rank in a query.

    Attributes:
        rankings: The ranks in the version that is explained, then in others.
        shown: The adjusted candidates, more than a reply shows.
        votes: The votes on the query, oldest first.
        word_votes: The aggregated votes by (mask index, word).
        runs: The runs that made the versions, by id.
        is_private: Whether votes on the query do not count, because it holds personal data.
        also_serves: The other version that answers while a proof is open; None for none.
    """

    rankings: Sequence[VersionRanks]
    shown: ShownPrediction
    votes: Sequence[QueryVote]
    word_votes: Mapping[tuple[int, str], WordVotes]
    runs: Mapping[int, Run]
    is_private: bool = False
    also_serves: str | None = None


class NoReplyError(BotError):
    """The message shows no prediction."""

    def __init__(self) -> None:
        super().__init__(say("why.no_reply"))


class Why(commands.Cog):
    """The command `!why`, and the same on a reply."""

    def __init__(self, parts: Parts) -> None:
        self._bot, self._database, self._settings = parts.discord.bot, parts.storage.database, parts.settings
        self._query_handler, self._registry = parts.voting.query_handler, parts.storage.registry
        self._predictor, self._ranks = parts.inference.predictor, parts.inference.word_ranks

    async def cog_load(self) -> None:
        """Register the message command."""
        self._bot.tree.add_command(
            message_command(
                "why", self.why_message, cooldown=(RANKINGS, RANKINGS_WITHIN_S), is_ephemeral=True
            )
        )

    @command(
        "why",
        group="insight",
        is_ephemeral=True,
        cooldown=(RANKINGS, RANKINGS_WITHIN_S),
        usage="WORD in TEXT",
    )
    async def why(self, context: Context, word: str, *, text: str) -> None:
        """Explain why a word is ranked where it is in a sentence."""
        if context.interaction is None:
            text = text.removeprefix("in ")
        await self._explain(context, word, text)

    async def why_message(self, context: Context, message: discord.Message) -> None:
        """Explain the best word of a reply, for the first blank.

        Raises:
            NoReplyError: The message is none of the bot's replies, or is no longer known.
        """
        shown = await shown_query(self._database, message_id=message.id)
        if shown is None:
            raise NoReplyError
        best = shown.words[0]
        await self._explain(context, best.word, shown.query, version=best.model_version)

    async def _explain(self, context: Context, word: str, text: str, *, version: str | None = None) -> None:
        query, word = self._query_handler.parse(text), clipped(word.strip(), MAX_WORD)
        reasons = await self._reasons(query, word, version)
        embed = why_embed(
            query.text,
            word,
            reasons,
            asker_id=context.author.id,
            min_voters=self._settings.needed_voters,
            prefix=self._bot.prefix,
        )
        await send_reply(context, embed=embed, ephemeral=True)

    async def _reasons(self, query: Query, word: str, version: str | None) -> Reasons:
        """Collect what explains a word's rank in a query; `version` brought it, if that is known."""
        prediction = await self._predictor.predict(query.text)
        champion, challenger = prediction.model_version, self._predictor.challenger
        votes = await self._query_handler.votes_on(query)
        rules = VoteRules.of(self._settings)
        word_votes = weigh_votes(votes, rules)
        preferred = self._predictor.preferred
        shown = adjust(prediction, votes, rules, shown=CANDIDATES, preferred=preferred)
        serving = [champion]
        # Where votes or preferred words change the answer, the champion answers alone.
        if challenger is not None and not shown.is_adjusted:
            serving.append(challenger.version)
        if version == serving[-1]:
            serving.reverse()
        others = await asyncio.to_thread(earlier_versions, self._registry, champion)
        if version in self._registry.versions() and version not in self._registry.withdrawn():
            others.insert(0, version)
        versions = list(dict.fromkeys([*serving, *others]))
        rankings = await self._ranks.rank(query.text, versions, words=[word])
        return Reasons(
            rankings=rankings,
            shown=shown,
            votes=votes,
            word_votes=word_votes,
            runs=await self._runs(rankings),
            is_private=query.is_private,
            also_serves=serving[1] if len(serving) > 1 else None,
        )

    async def _runs(self, rankings: list[VersionRanks]) -> dict[int, Run]:
        ids = {ranking.run_id for ranking in rankings if ranking.run_id is not None}
        found = [await runs.get_run(self._database, run_id) for run_id in sorted(ids)]
        return {run.id: run for run in found if run is not None}


def add(parts: Parts) -> None:
    """Add `!why`."""
    parts.discord.bot.add_cogs(Why(parts))


def why_embed(
    text: str, word: str, reasons: Reasons, *, asker_id: int, min_voters: int, prefix: str
) -> discord.Embed:
    """Explain a word's rank for every mask of the text: now, by votes, and in each version."""
    masks = range(text.count(MASK))
    title = say("why.title", word=clipped(escape(word), MAX_TITLE // 2))
    embed = discord.Embed(title=title, colour=COLOUR)
    filled = f"**{escape(word)}**" if len(masks) == 1 else escape(MASK)
    embed.description = clipped(filled.join(escape(part) for part in text.split(MASK)), MAX_DESCRIPTION // 4)
    for mask in masks:
        parts = (
            (say("why.now"), _now_lines(word, mask, reasons)),
            (say("why.votes"), _votes_lines(word, mask, reasons, asker_id, min_voters, prefix)),
            (say("why.versions"), _version_lines(mask, reasons)),
        )
        for name, lines in parts:
            title = say("why.for_blank", name=name, number=mask + 1) if len(masks) > 1 else name
            value = clipped("\n".join(lines), min(MAX_FIELD, ROOM // (3 * len(masks))))
            embed.add_field(name=title, value=value, inline=False)
    return embed


def _now_lines(word: str, mask: int, reasons: Reasons) -> list[str]:
    """Show the word's rank in the current version, with and without the votes."""
    place, version = _place(reasons.rankings[0], mask), reasons.rankings[0].version
    if place is None:
        return [say("why.unknown", version=version)]
    lines = [say("why.alone", version=version, place=_at(place.rank, place.score))]
    candidates = reasons.shown.masks[mask]
    has_votes = any(one.is_judged for (at, _), one in reasons.word_votes.items() if at == mask)
    if not has_votes and not any(one.is_preferred for one in candidates):
        return [*lines, say("why.not_moved")]
    at = next((rank for rank, one in enumerate(candidates, 1) if one.word == place.word), None)
    if at is not None:
        one = candidates[at - 1]
        at_place = _at(at, one.share)
        lines.append(
            say("why.with_votes", place=at_place) if has_votes else say("why.with_preferred", place=at_place)
        )
        return [*lines, say("why.preferred")] if one.is_preferred else lines
    if place.rank <= CANDIDATES:
        return [*lines, say("why.left_out")]
    return [*lines, say("why.too_far", candidates=CANDIDATES)]


def _votes_lines(
    word: str, mask: int, reasons: Reasons, asker_id: int, min_voters: int, prefix: str
) -> list[str]:
    """Show the votes on the word, and the judgement they amount to."""
    if reasons.is_private:
        return [say("why.private")]
    if not reasons.votes:
        return [say("why.no_votes", prefix=prefix)]
    is_ours = {vote.word for vote in reasons.votes if vote.word.lower() == word.lower()}
    votes = [v for v in standing_votes(reasons.votes) if v.mask_index == mask and v.word in is_ours]
    if not votes:
        return [say("why.no_votes_on_word")]
    up = sum(vote.value > 0 for vote in votes)
    line = say("why.counts", n=len({v.voter_id for v in votes}), up=up, down=len(votes) - up)
    if own := [vote.value for vote in votes if vote.voter_id == asker_id]:
        line = say("why.own_up", votes=line) if own[-1] > 0 else say("why.own_down", votes=line)
    one = reasons.word_votes[mask, votes[-1].word]
    lines = [line, say("why.sums", up=one.up, down=one.down)]
    if one.is_judged:
        return [*lines, say("why.wanted") if one.up > one.down else say("why.unwanted")]
    is_short = one.voters < min_voters
    return [*lines, say("why.needs", needed=min_voters) if is_short else say("why.disagree")]


def _version_lines(mask: int, reasons: Reasons) -> list[str]:
    """Show for each version its rank, the run that made it, and what that run learnt about the word."""
    places = {ranking.version: _place(ranking, mask) for ranking in reasons.rankings}
    lines = []
    for number, ranking in enumerate(reasons.rankings):
        is_serving = number == 0 or ranking.version == reasons.also_serves
        name = say("why.serves", version=ranking.version) if is_serving else ranking.version
        place = places[ranking.version]
        if not ranking.masks:
            lines.append(f"**{name}** · {say('why.damaged')}")
            continue
        parts = [say("why.cannot") if place is None else _at(place.rank, place.score)]
        if ranking.kind != "night":
            parts.append(say(f"why.kinds.{ranking.kind}"))
        if (run := reasons.runs.get(ranking.run_id or 0)) is not None:
            date = discord.utils.format_dt(run.finished_at or run.started_at, "d")
            parts.append(
                say("why.run", id=run.id, trigger=escape(named("run.triggers", run.trigger)), date=date)
            )
        if ranking.kind == "night" and place is not None:
            parts.append(_cause(place, places.get(ranking.parent or "")))
        lines.append(" · ".join([f"**{name}**", *parts]))
    return lines


def _cause(place: WordRank, before: WordRank | None) -> str:
    """Say why a run moved a word: votes on it in this query, or generalization from other queries."""
    if place.learnt is not None:
        return say("why.held_out") if place.held_out else say(f"why.learnt_{place.learnt}")
    if before is None:
        return say("why.not_rated")
    if place.rank == before.rank and abs(math.log((place.score + 1e-12) / (before.score + 1e-12))) < MOVED:
        return say("why.stayed")
    wanted, unwanted = place.wanted_elsewhere, place.unwanted_elsewhere
    return say("why.carried", wanted=wanted, unwanted=unwanted) if wanted + unwanted else say("why.drifted")


def _place(ranking: VersionRanks, mask: int) -> WordRank | None:
    return ranking.masks[mask].places[0] if ranking.masks else None


def earlier_versions(registry: Registry, version: str) -> list[str]:
    """Earlier champions that still exist, the latest first, then the domain model."""
    found = [version]
    with suppress(RegistryError):  # no earlier champion, or a damaged card
        while len(found) <= MAX_EARLIER and (earlier := registry.previous(found[-1])) not in found:
            found.append(earlier)
    domain = registry.domain()
    if domain in registry.versions() and domain not in found:
        found.append(str(domain))
    return found[1:]


def _at(rank: int, share: float) -> str:
    return say("why.place", rank=rank, share=small_percent(share))
