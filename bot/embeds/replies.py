"""Embeds of replies, versions and verdicts; all text from people is escaped. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import discord

from bot.answering.vote_adjustment import ShownPrediction
from bot.embeds.run_figures import origin, plain_reason
from bot.embeds.run_outcomes import BETTER, FAILED, outcome_of, tense_of_changes, title_of
from bot.texts import in_every_language, named, number, say, translated
from storage.runs import Run
from storage.sentences import from_json
from training.inference.encoder import MASK
from training.registry.card import Card

COLOUR = BETTER  # of all replies that are not about a problem
# Characters of markdown, mentions and links, which a backslash escapes.
MARKUP = re.compile(r"([\\`*_~|<>\[\]()#@]|:(?=//))")
LIST_MARK = re.compile(r"^(\s*\d*)([-+.])(?=\s)", re.MULTILINE)
MAX_CONTENT = 2000
MAX_DESCRIPTION = 4096
MAX_FIELD = 1024
SHOWN_WRONG_WAY = 8  # words
SHOWN_CHANGES = 4
MAX_BETWEEN = 120  # characters between the blanks of a sentence in a list: three lines on a narrow phone
MAX_SENTENCE = 1500  # with four full fields still below the 6,000 of an embed


def escape(text: str) -> str:
    """Escape markdown, mentions and links."""
    return LIST_MARK.sub(r"\1\\\2", MARKUP.sub(r"\\\1", text))


def clipped(text: str, limit: int) -> str:
    """Cut the text to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def notice_embed(sentence: str, run: Run | None = None) -> discord.Embed:
    """Build the embed of a notice about a problem, or about how a run ended."""
    colour = FAILED if run is None else outcome_of(run).colour
    return discord.Embed(description=clipped(escape(sentence), MAX_DESCRIPTION), colour=colour)


def prediction_embed(
    text: str,
    prediction: ShownPrediction,
    *,
    prediction_id: int,
    has_thumbs: bool = True,
    is_private: bool = False,
    is_further: bool = False,
) -> discord.Embed:
    """Build the reply to a query: the completed sentence, and the best words for each mask.

    Without thumbs, the footer points to the menus. For a private query, whose personal data is not stored, it
    says that votes on it do not count.
    """
    best = [mask[0].word for mask in prediction.masks]
    embed = discord.Embed(description=clipped(_completed(text, best), MAX_DESCRIPTION), colour=COLOUR)
    several = len(prediction.masks) > 1
    if len(prediction.sentences) > 1:
        short = _shortened(text)
        sentences = [f"{_completed(short, s.words)} · {percent(s.share)}" for s in prediction.sentences]
        embed.add_field(name=say("prediction.together"), value=_fitting(sentences), inline=False)
    # Bars are relative to the best word, so that they are readable whether the model is sure or not.
    for index, mask in enumerate(prediction.masks):
        likeliest = max(candidate.share for candidate in mask) or 1.0
        lines = [
            f"{_bar(candidate.share / likeliest)} {'**' if rank == 0 else ''}"
            f"{escape(candidate.word)}{'**' if rank == 0 else ''}{' ★' if candidate.is_preferred else ''}"
            f" · {percent(candidate.share)}"
            for rank, candidate in enumerate(mask)
        ]
        if is_further:
            name = say("prediction.next_for", number=index + 1) if several else say("prediction.next")
        else:
            name = say("prediction.best_for", number=index + 1) if several else say("prediction.best")
        embed.add_field(name=name, value=clipped("\n".join(lines), MAX_FIELD), inline=several)
    notes = [say("prediction.model", version=prediction.versions), f"#{prediction_id}"]
    if prediction.votes:
        notes.append(say("prediction.adjusted", n=prediction.votes))
    if any(candidate.is_preferred for mask in prediction.masks for candidate in mask):
        notes.append(say("prediction.preferred"))
    if is_private:
        hint = say("prediction.private")
    elif has_thumbs:
        hint = say("prediction.hint", n=len(prediction.masks))
    else:
        hint = say("prediction.menus_hint")
    embed.set_footer(text=" · ".join([*notes, hint]))
    return embed


def promises_thumbs(reply: discord.Message) -> bool:
    """Whether the reply's footer tells people to use the thumbs."""
    footers = [embed.footer.text or "" for embed in reply.embeds]
    hints = in_every_language("prediction.menus_hint")
    return not any(hint in footer for footer in footers for hint in hints)


def model_embed(
    card: Card, *, version: str, domain: str | None, precision: str, notes: list[str]
) -> discord.Embed:
    """Build the reply to `!model`."""
    embed = discord.Embed(title=say("model.title", version=version), colour=COLOUR)
    embed.description = clipped(escape(origin(card)), MAX_SENTENCE)
    embed.add_field(name=say("model.made"), value=formatted_time(card.created_at))
    embed.add_field(name=say("model.precision"), value=precision)
    embed.add_field(name=say("model.starts_from"), value=domain or say("model.nothing_yet"))
    if reasons := card.verdict.get("reasons"):
        embed.add_field(
            name=say("model.verdict"),
            value=verdict_lines(reasons, is_domain=card.kind == "domain"),
            inline=False,
        )
    for note in notes:
        embed.add_field(name=say("model.note"), value=clipped(escape(note), MAX_FIELD), inline=False)
    return embed


def verdict_embed(
    run: Run, sentence: str, *, next_step: str = "", shown: Collection[str] = ()
) -> discord.Embed:
    """Describe how a run ended.

    Args:
        run: the finished run.
        sentence: how it ended.
        next_step: what serves now and what can be done, in markdown.
        shown: the queries that may be listed if their words changed.
    """
    outcome = outcome_of(run)
    embed = discord.Embed(title=title_of(run), colour=outcome.colour)
    is_said = bool(next_step) and outcome.is_said_by_title
    lines = ["" if is_said else clipped(escape(sentence), MAX_SENTENCE), next_step]
    embed.description = "\n".join(line for line in lines if line)
    reasons = (run.verdict or {}).get("reasons") or []
    if reasons and isinstance(reasons[0], dict):
        value = verdict_lines(reasons, is_domain=run.trigger == "domain")
        embed.add_field(name=say("run.looked_at"), value=value, inline=False)
    report = run.report or {}
    if "votes" in report:
        embed.add_field(name=say("run.votes"), value=votes_line(report))
        embed.add_field(name=say("run.judged"), value=str(report["judgements"]))
    if rejected := report.get("rejected"):
        text = ", ".join(
            f"{named('run.left_out_reasons', reason)}: {votes}" for reason, votes in rejected.items()
        )
        embed.add_field(name=say("run.left_out"), value=clipped(escape(text), MAX_FIELD))
    if note := precision_note(report):
        embed.add_field(name=say("model.precision"), value=note, inline=False)
    add_wrong_way(embed, report, shown)
    if words := report.get("added_words"):
        embed.add_field(name=say("run.new_words"), value=say("run.new_words_number", words=words))
    if changed := changes_text(report, shown):
        name = say(f"run.changes.{tense_of_changes(run)}")
        embed.add_field(name=name, value=changed, inline=False)
    embed.set_footer(text=say("run.footer", id=run.id, trigger=named("run.triggers", run.trigger)))
    return embed


def verdict_lines(reasons: list[Any], *, is_domain: bool = False) -> str:
    """List the gate's tests in plain words: failed ones first, with figures; those without data last."""
    failed, passed, unknown = [], [], []
    for reason in (one for one in reasons if isinstance(one, dict)):
        clause = plain_reason(reason, is_domain=is_domain)
        line = escape(f"{clause[:1].upper()}{clause[1:]}.")
        if not reason["passed"]:
            failed.append(f"✗ **{line}** {escape(translated(from_json(reason)))}")
        elif reason.get("has_data", True):
            passed.append(f"✓ {line}")
        else:
            unknown.append(f"– {line}")
    return clipped("\n".join([*failed, *passed, *unknown]) or "—", MAX_FIELD)


def precision_note(report: Mapping[str, Any]) -> str:
    """Say why a version serves in another precision than the domain model; empty if it does not."""
    note = (report.get("metrics") or {}).get("precision_note")
    text = translated(from_json(note)) if note else ""
    return clipped(escape(f"{text[:1].upper()}{text[1:]}."), MAX_FIELD) if text else ""


def changes_text(report: Mapping[str, Any], shown: Collection[str]) -> str:
    """List the queries in `shown` whose best words changed; empty if none did."""
    changes = [c for c in report.get("changes", ()) if c["query"] in shown and c["before"] != c["after"]]
    return clipped("\n".join(map(_change_line, changes[:SHOWN_CHANGES])), MAX_FIELD)


def add_wrong_way(embed: discord.Embed, report: Mapping[str, Any], shown: Collection[str]) -> None:
    """List the judged words that moved against the votes, with the queries in `shown`."""
    words = report.get("wrong_way", ())
    lines = [_wrong_way_line(word, shown) for word in words[:SHOWN_WRONG_WAY]]
    if more := len(words) - len(lines):
        lines.append(say("run.and_more", n=more))
    if lines:
        text = clipped("\n".join(lines), MAX_FIELD)
        embed.add_field(name=say("run.wrong_way"), value=text, inline=False)


def _wrong_way_line(word: Mapping[str, Any], shown: Collection[str]) -> str:
    kind = "lost" if word["is_lost"] else "wanted" if word["is_wanted"] else "unwanted"
    places = {"before": word["before"], "after": word["after"]}
    line = say(f"run.went_wrong.{kind}", word=escape(word["word"]), **places)
    return f"{line} · {escape(word['query'])}" if word["query"] in shown else line


def votes_line(report: Mapping[str, Any]) -> str:
    """Say how many votes by how many people a run learnt from."""
    people = say("people", n=report["voters"])
    line = say("run.votes_number", n=report["votes"], people=people)
    limited = report.get("limited_voters", 0)
    return f"{line}. {say('run.limited', n=limited)}" if limited else line


def progress_text(step: str, done: int, total: int, elapsed_s: float, *, left_s: float | None = None) -> str:
    """Say how far a run is, how long it has run, and how long it will still take."""
    share = min(done / total, 1.0) if total else None
    counted = "…" if share is None else f"{_bar(share)} {number(share, '.0%')}"
    step = named("run.steps", step)
    taken = say("run.progress", step=escape(step), counted=counted, elapsed=_duration(elapsed_s))
    return taken if left_s is None else say("run.progress_left", taken=taken, left=_duration(left_s))


def _completed(text: str, words: Sequence[str]) -> str:
    """Return the escaped sentence with a bold word for each mask."""
    parts = text.split(MASK)
    filled = escape(parts[0])
    for index, (word, part) in enumerate(zip(words, parts[1:], strict=True)):
        if not parts[0].strip() and index == 0:
            word = word[:1].upper() + word[1:]
        apart = " " if filled.endswith("**") else ""  # two adjacent blanks
        filled += f"{apart}**{escape(word)}**{escape(part)}"
    return filled


def _shortened(text: str) -> str:
    """Shorten the sentence by cutting the text between its masks."""
    parts = text.split(MASK)
    most = MAX_BETWEEN // len(parts)
    last = len(parts) - 1
    for index, part in enumerate(parts):
        if len(part) > most:
            half = most // 2 if 0 < index < last else most
            start = part[:half].rsplit(" ", 1)[0] if index > 0 else ""
            end = part[-half:].split(" ", 1)[-1] if index < last else ""
            parts[index] = f"{start} … {end}"
    return MASK.join(parts).strip()


def _fitting(lines: Sequence[str]) -> str:
    """Join as many lines as fit in a field; if even the first does not, cut it."""
    fitting = clipped(lines[0], MAX_FIELD)
    for line in lines[1:]:
        if len(fitting) + len(line) + 1 > MAX_FIELD:
            break
        fitting += f"\n{line}"
    return fitting


def _change_line(change: dict[str, Any]) -> str:
    """Show a query with the words that left and entered its best."""
    gone = [word for word in change["before"] if word not in change["after"]]
    new = [word for word in change["after"] if word not in change["before"]]
    parts = [f"− {', '.join(gone)}" if gone else "", f"+ {', '.join(new)}" if new else ""]
    moved = " ".join(part for part in parts if part) or say("run.another_order")
    return f"{escape(change['query'])} {escape(moved)}"


def _bar(share: float) -> str:
    """Draw a bar of five cells."""
    filled = round(min(max(share, 0.0), 1.0) * 5)
    return "▰" * filled + "▱" * (5 - filled)


def percent(score: float) -> str:
    """Format a probability; below 10 % with one decimal."""
    return number(score, ".1%" if score < 0.1 else ".0%")


def small_percent(score: float) -> str:
    """Format a probability that may be too small to show."""
    return percent(score) if score >= 0.001 else f"< {percent(0.001)}"


def _duration(seconds: float) -> str:
    """Format seconds; from two minutes on as minutes."""
    if seconds < 120:
        return say("run.seconds", n=max(round(seconds), 1))
    return say("run.minutes", n=round(seconds / 60))


def formatted_time(moment: datetime) -> str:
    """Show a time in the time zone of each reader."""
    return discord.utils.format_dt(moment, "f")
