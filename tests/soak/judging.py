"""After the run: what the bot stored and logged, held against what people did and were told."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from soak.ledger import Owner, Reign, StoredRow, may_answer
from soak.supervisor import Life
from soak.town import Ask, Town
from soak.troubles import Made

from bot.answering.champion_follower import WATCH_EVERY_S
from training.inference.fill_model import FillModel

LAG_S = WATCH_EVERY_S + 1.0  # the bot finds the pointer moved, verifies, loads and warms the version
IN_FLIGHT_S = 5.0  # before a kill
TOP, SAME_SCORE, LOOKED_AT = 20, 1e-3, 300
# What discord.py itself logs with a traceback while the network is away: it says so and goes on.
NAMED_TRACEBACKS = ("Attempting a reconnect",)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the verdict; what is `bad` must be 0."""

    name: str
    number: int
    note: str = ""
    is_bad: bool = False


def answers(
    asks: Sequence[Ask], town: Town, lives: Sequence[Life], reigns: Sequence[Reign], *, lag_s: float = LAG_S
) -> list[Line]:
    """Every question has its answer, or a reason why not; every answer is of the champion."""
    answered = [ask for ask in asks if ask.version]
    told = Counter(ask.told for ask in asks if ask.told)
    silent = [ask for ask in asks if ask.replied_s is None]
    killed = [life for life in lives if life.is_wanted and life.ended_s is not None]
    away = [(life.ended_s - IN_FLIGHT_S, _back_s(life, lives)) for life in killed if life.ended_s is not None]
    lost = [ask for ask in silent if ask.is_lost]
    unheard = [ask for ask in silent if not ask.is_heard and not ask.is_lost]
    dead = [
        ask
        for ask in silent
        if ask.is_heard and not ask.is_lost and any(begin <= ask.asked_s <= end for begin, end in away)
    ]
    rest = [ask for ask in silent if ask not in lost and ask not in unheard and ask not in dead]
    wrong = [
        ask
        for ask in answered
        if not may_answer(
            ask.version, reigns, asked_s=ask.asked_s, replied_s=ask.replied_s or 0.0, lag_s=lag_s
        )
    ]
    unexplained = max(0, len(rest) - town.told_together)
    return [
        Line("questions", len(asks)),
        Line("answered", len(answered), f"{len(reigns)} reigns"),
        Line(
            "told something else", sum(told.values()), "; ".join(f"{n} × {t[:60]}" for t, n in told.items())
        ),
        Line("told together that too many ask", town.told_together),
        Line("answered twice", town.twice, is_bad=True),
        Line("unanswered: the event was lost on purpose", len(lost)),
        Line("unanswered: the bot had no session", len(unheard)),
        Line("unanswered: killed, or not yet back", len(dead)),
        Line("unanswered without a reason", unexplained, _times(rest), is_bad=True),
        Line("answers of the wrong version", len(wrong), f"lag allowed: {lag_s:g} s", is_bad=True),
    ]


def votes(town: Town, rows: Sequence[StoredRow], made: Sequence[Made] = ()) -> list[Line]:
    """What stands for people is stored, and nothing else."""
    thumbs, menus = (
        town.ledger.compare_thumbs(rows, masks=town.masks),
        town.ledger.compare_menus(rows),
    )
    cast = f"{town.cast} cast, changed or taken back"
    clicks = f"{town.confirmed} confirmed, {town.failed} failed and said so, {town.refused} refused"
    return [
        Line("thumbs that stand", thumbs.standing, cast),
        Line("thumbs lost", len(thumbs.lost), _blamed(thumbs.lost, town, made), is_bad=True),
        Line("thumbs invented", len(thumbs.invented), _blamed(thumbs.invented, town, made), is_bad=True),
        Line("menu votes that stand", menus.standing, clicks),
        Line("menu votes lost", len(menus.lost), is_bad=True),
        Line("menu votes invented", len(menus.invented), is_bad=True),
    ]


def differing(town: Town, rows: Sequence[StoredRow]) -> int:
    """How many thumbs are stored otherwise than they stand."""
    compared = town.ledger.compare_thumbs(rows, masks=town.masks)
    return len({*compared.lost, *compared.invented})


def words(database: Path, models: Path) -> Line:
    """Whether stored words have the scores that the named version gives them; a sample of each version."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(
            "SELECT p.id, p.model_version, p.query FROM predictions p WHERE p.query LIKE '%[MASK]%' AND "
            "p.query NOT LIKE '%[MASK]%[MASK]%' AND p.id % MAX(1, (SELECT MAX(id) FROM predictions) / ?) = 0",
            (LOOKED_AT,),
        ).fetchall()
        offered = {
            row[0]: connection.execute(
                "SELECT word, score FROM candidates WHERE prediction_id = ?", (row[0],)
            ).fetchall()
            for row in found
        }
    wrong = 0
    for version in {row[1] for row in found}:
        model = FillModel(models / version)
        for number, _, query in (row for row in found if row[1] == version):
            scores = {one.word: one.score for one in model.fill([query], top=TOP)[0][0]}
            wrong += any(abs(scores.get(word, -1) - score) > SAME_SCORE for word, score in offered[number])
    return Line("answers with another version's words", wrong, f"of {len(found)} looked at", is_bad=True)


def log_lines(log: Path) -> list[Line]:
    """Tracebacks, and whatever else was worth a warning, by event."""
    tracebacks: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    with log.open(errors="replace") as lines:
        for text in lines:
            if '"level": "info"' in text:
                continue
            try:
                line = json.loads(text)
            except ValueError:
                tracebacks["Traceback outside the log"] += text.startswith("Traceback")
                continue
            event = str(line.get("event"))
            warnings[f"{event[:50]} ({line.get('level')})"] += 1
            if "exception" in line:
                last = str(line["exception"]).strip().splitlines()[-1]
                tracebacks[f"{event[:50]}: {last[:90]}"] += 1
    named = {one: n for one, n in tracebacks.items() if one.startswith(NAMED_TRACEBACKS)}
    other = {one: n for one, n in tracebacks.items() if n and one not in named}
    return [
        Line("warnings and errors logged", sum(warnings.values()), _counted(warnings)),
        Line("tracebacks: discord.py connects again", sum(named.values())),
        Line("tracebacks: others", sum(other.values()), _counted(other), is_bad=True),
    ]


def ends(lives: Sequence[Life]) -> list[Line]:
    """How often the process ended, and why."""
    own = [life for life in lives if life.ended_s is not None and not life.is_wanted]
    codes = ", ".join(f"{life.code} at {life.ended_s:.0f} s" for life in own)
    return [Line("lives of the bot", len(lives)), Line("it ended by itself", len(own), codes, is_bad=True)]


def waits(asks: Sequence[Ask], made: Sequence[Made]) -> list[tuple[str, int, float, float]]:
    """Trouble → how often, the longest wait of a question asked until the next, and how soon after its end
    one asked later was answered, in seconds."""
    found: dict[str, tuple[int, float, float]] = {}
    answered = sorted((ask for ask in asks if ask.replied_s is not None), key=lambda ask: ask.asked_s)
    for at, one in enumerate(made):
        until_s = made[at + 1].from_s if at + 1 < len(made) else float("inf")
        during = [ask.wait_ms / 1e3 for ask in answered if one.from_s <= ask.asked_s < until_s]
        after = [ask.replied_s - one.until_s for ask in answered if one.until_s <= ask.asked_s < until_s]
        times, longest, again = found.get(one.name, (0, 0.0, 0.0))
        found[one.name] = (
            times + 1,
            max([longest, *during]),
            max(again, min(after, default=float("nan"))),
        )
    return [(name, *figures) for name, figures in found.items()]


def stored_rows(database: Path) -> list[StoredRow]:
    """The votes table."""
    with closing(sqlite3.connect(database)) as connection:
        return [
            StoredRow(*row)
            for row in connection.execute(
                "SELECT prediction_id, voter_id, mask_index, word, value, via FROM votes ORDER BY mask_index"
            )
        ]


def _back_s(life: Life, lives: Sequence[Life]) -> float:
    """When the next one after a life was ready."""
    later = [one.ready_s for one in lives if one.started_s > life.started_s and one.ready_s is not None]
    return min(later, default=float("inf"))


def _blamed(owners: Sequence[Owner], town: Town, made: Sequence[Made]) -> str:
    """The trouble before each."""
    blamed: Counter[str] = Counter()
    for owner in owners:
        at_s = town.thumb_at.get(owner, 0.0)
        before = [one.name for one in made if one.from_s - IN_FLIGHT_S <= at_s]
        blamed[f"after {before[-1]}" if before else "before any trouble"] += 1
    return _counted(blamed)


def _counted(found: dict[str, int]) -> str:
    return "; ".join(f"{number} × {name}" for name, number in found.items())


def _times(asks: Sequence[Ask]) -> str:
    return ", ".join(f"{ask.asked_s:.1f} s" for ask in asks[:12])
