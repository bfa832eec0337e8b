"""Embeds of `!why` and `!compare`: a word's rank, votes and history; two versions side by side. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import discord

from bot.answering.predictor import CANDIDATES
from bot.answering.vote_adjustment import ShownPrediction, WordVotes
from bot.embeds.replies import COLOUR, MAX_DESCRIPTION, MAX_FIELD, clipped, escape, percent
from bot.subprocesses.word_ranks import VersionRanks, WordRank
from bot.texts import named, say
from storage.runs import Run
from storage.votes.consensus import QueryVote
from storage.votes.standing import standing_votes
from training.inference.encoder import MASK

MAX_TITLE = 256
ROOM = 5000  # for the fields, of the 6,000 characters of an embed
MOVED = math.log(1.05)  # a probability that changes by less than 5 % has not moved
BLANK = "\u200b"
Words = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Reasons:
    """Everything that explains a word's rank in a query.

    Attributes:
        looks: The ranks in the current version, then in earlier ones.
        shown: The adjusted candidates, more than a reply shows.
        votes: The votes on the query, oldest first.
        word_votes: The aggregated votes by (mask index, word).
        runs: The runs that made the versions, by id.
        is_private: Whether votes on the query do not count, because it holds personal data.
    """

    looks: Sequence[VersionRanks]
    shown: ShownPrediction
    votes: Sequence[QueryVote]
    word_votes: Mapping[tuple[int, str], WordVotes]
    runs: Mapping[int, Run]
    is_private: bool = False


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
    place, version = _place(reasons.looks[0], mask), reasons.looks[0].version
    if place is None:
        return [say("why.unknown", version=version)]
    lines = [say("why.alone", version=version, place=_at(place.rank, place.score))]
    if not any(one.is_judged for (at, _), one in reasons.word_votes.items() if at == mask):
        return [*lines, say("why.not_moved")]
    candidates = reasons.shown.masks[mask]
    at = next((rank for rank, one in enumerate(candidates, 1) if one.word == place.word), None)
    if at is not None:
        return [*lines, say("why.with_votes", place=_at(at, candidates[at - 1].share))]
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
    places = {look.version: _place(look, mask) for look in reasons.looks}
    lines = []
    for number, look in enumerate(reasons.looks):
        name = say("why.serves", version=look.version) if number == 0 else look.version
        place = places[look.version]
        if not look.masks:
            lines.append(f"**{name}** · {say('why.damaged')}")
            continue
        parts = [say("why.cannot") if place is None else _at(place.rank, place.score)]
        if look.kind != "night":
            parts.append(say(f"why.kinds.{look.kind}"))
        if (run := reasons.runs.get(look.run_id or 0)) is not None:
            date = discord.utils.format_dt(run.finished_at or run.started_at, "d")
            parts.append(
                say("why.run", id=run.id, trigger=escape(named("run.triggers", run.trigger)), date=date)
            )
        if look.kind == "night" and place is not None:
            parts.append(_cause(place, places.get(look.parent or "")))
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


def _place(look: VersionRanks, mask: int) -> WordRank | None:
    return look.masks[mask].places[0] if look.masks else None


def compare_embed(
    now: Sequence[Words], before: Sequence[Words] | None, *, names: tuple[str, str]
) -> discord.Embed:
    """Compare the best words of the current version and the one before, mask by mask.

    Args:
        now: For each mask, words with their probabilities, best first.
        before: The same for the previous version; None if the champion has no predecessor.
        names: The names of both versions.
    """
    title = say("compare.title", now=names[0], before=names[1])
    if before is None:
        title = say("compare.one_title", version=names[0])
    embed = discord.Embed(title=title, colour=COLOUR)
    several = len(now) > 1
    summary = []
    for mask, words in enumerate(now):
        old = before[mask] if before is not None else None
        ours = "\n".join(
            f"{_mark(word, rank, old)}{_line(word, share, rank)}" for rank, (word, share) in enumerate(words)
        )
        _add(embed, say("compare.now", version=names[0]), ours, mask=mask if several else None)
        if old is None:
            continue
        kept = {word for word, _ in words}
        theirs = "\n".join(
            f"{'' if word in kept else '✖ '}{_line(word, share, rank)}"
            for rank, (word, share) in enumerate(old)
        )
        _add(embed, names[1], theirs, mask=mask if several else None)
        if several:
            embed.add_field(
                name=BLANK, value=BLANK
            )  # fills the row of three, so that the next blank starts a new row
        line = _summary(words, old)
        summary.append(say("compare.best_of", number=mask + 1, line=line) if several else line)
    embed.description = "\n".join(summary) or say("compare.no_previous", version=names[0])
    if before is not None:
        embed.set_footer(text=say("compare.legend"))
    return embed


def _add(embed: discord.Embed, name: str, value: str, *, mask: int | None) -> None:
    title = name if mask is None else say("compare.for_blank", name=name, number=mask + 1)
    embed.add_field(name=title, value=clipped(value, MAX_FIELD))


def _summary(now: Words, before: Words) -> str:
    """Summarise in one line: the best word, and how many words are new or moved."""
    if [word for word, _ in now] == [word for word, _ in before]:
        return say("compare.same")
    marks = [_mark(word, rank, before) for rank, (word, _) in enumerate(now)]
    best, was = escape(now[0][0]), escape(before[0][0])
    first = say("compare.best_stays", now=best) if best == was else say("compare.best", before=was, now=best)
    moves = say("compare.moves", new=marks.count("✚ "), up=marks.count("▲ "), down=marks.count("▼ "))
    return f"{first} {moves}"


def _mark(word: str, rank: int, before: Words | None) -> str:
    """Return the symbol that shows how a word's rank changed."""
    if before is None:
        return ""
    was = next((at for at, (old, _) in enumerate(before) if old == word), None)
    if was is None:
        return "✚ "
    return "▲ " if rank < was else "▼ " if rank > was else ""


def _line(word: str, share: float, rank: int) -> str:
    bold = "**" if rank == 0 else ""
    return f"{bold}{escape(word)}{bold} · {_share(share)}"


def _at(rank: int, share: float) -> str:
    return say("why.place", rank=rank, share=_share(share))


def _share(share: float) -> str:
    return percent(share) if share >= 0.001 else f"< {percent(0.001)}"
