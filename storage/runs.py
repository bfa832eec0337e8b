"""The audit trail: runs, verdicts and all moves of the champion pointer.

A row is opened before the work starts and closed after it; at the next start `repair` closes rows that a
crash left open. The registry's champion pointer is the source of truth; the rows follow it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Select, Update, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.backends.retries import retried, retried_if_rolled_back
from storage.database import Database
from storage.errors import DatabaseLostError
from storage.schema import runs
from storage.sentences import Sentence, TranslatableError, from_json, to_json

Status = Literal["open", "promoted", "rejected", "waiting", "proving", "skipped", "failed", "done"]
FINISHED = tuple(status for status in get_args(Status) if status != "open")
UNDECIDED = ("waiting", "proving")  # statuses of runs whose version passed the gate and may still be promoted
JUDGED = ("promoted", "rejected", *UNDECIDED)  # statuses of runs that reached a verdict of the gate
PROOF = "votes in a proof"  # who decided, at the end of a proof
INTERRUPTED = Sentence("it was interrupted: the process ended before the run did")
POINTER_MOVES = ("rollback", "promote", "withdrawal")  # triggers that move the champion pointer without a run
VERDICT_AT = "verdict_at"  # key of a report: channel and message of a verdict with buttons
DECISIONS = (*POINTER_MOVES, "resume", "keep", "denied", "preferred")  # triggers of rows that are no run
REPEATS = "repeats"  # in the report of a skipped run: the run that it would have repeated


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the pipeline, or a decision: a rollback, a manual promotion, a resume or a version not taken.

    A run that is `waiting` passed the gate, and an admin decides whether its challenger becomes champion.
    While it is `proving`, both answer together until people's votes decide; the newest such run is the proof.
    """

    id: int
    trigger: str
    status: Status
    started_at: datetime
    finished_at: datetime | None
    as_of: datetime
    retraining_set_hash: str | None
    champion: str | None
    challenger: str | None
    verdict: dict[str, Any] | None
    report: dict[str, Any] | None

    @property
    def reason(self) -> str:
        """Why the run was skipped or failed; empty after a verdict of the gate."""
        verdict = self.verdict or {}
        plain = [reason for reason in verdict.get("reasons", ()) if isinstance(reason, str)]
        return from_json(verdict["said"]) if "said" in verdict else "; ".join(plain)

    @property
    def is_repetition(self) -> bool:
        """Whether it was skipped because it would have made the same model as the run before."""
        return self.status == "skipped" and REPEATS in (self.report or {})


def by_member(user_id: int) -> str:
    """Return who decided, as the reports of decisions name a member of the server."""
    return f"discord:{user_id}"


@retried_if_rolled_back
async def open_run(database: Database, trigger: str, /, *, started_at: datetime, **columns: Any) -> int:
    """Insert an open row and return the run's id; `columns` are others, such as `champion`."""
    row = {"trigger": trigger, "status": "open", "started_at": started_at, "as_of": started_at, **columns}
    async with database.write() as connection:
        run_id: int = (await connection.execute(insert(runs).returning(runs.c.id), row)).scalar_one()
    return run_id


@retried_if_rolled_back
async def note(database: Database, run_id: int, /, **columns: Any) -> bool:
    """Update columns of an open run, such as `challenger`. False: the run is not open."""
    async with database.write() as connection:
        result = await connection.execute(
            update(runs).where(runs.c.id == run_id, runs.c.status == "open").values(**columns)
        )
    return result.rowcount == 1


@retried
async def finish_run(
    database: Database,
    run_id: int,
    status: Status,
    *,
    finished_at: datetime,
    verdict: dict[str, Any] | None = None,
    report: dict[str, Any] | None = None,
) -> bool:
    """Close an open run. False: it was closed already, and nothing changed."""
    known = {name: it for name, it in (("verdict", verdict), ("report", report)) if it is not None}
    return await note(database, run_id, status=status, finished_at=finished_at, **known)


async def record_decision(
    connection: AsyncConnection,
    trigger: str,
    /,
    *,
    champion: str | None,
    now: datetime,
    report: dict[str, Any] | None = None,
) -> Run:
    """Insert the row of a decision that moves no pointer, in the transaction that carries it out."""
    row = {"trigger": trigger, "status": "done", "champion": champion}
    times = {"started_at": now, "finished_at": now, "as_of": now}
    reported = {} if report is None else {"report": report}
    inserted = insert(runs).values(**row, **times, **reported).returning(*runs.c)
    return Run(**(await connection.execute(inserted)).one()._mapping)


@retried_if_rolled_back
async def keep_champion(
    database: Database, run_id: int, *, champion: str | None, now: datetime, report: dict[str, Any]
) -> Run | None:
    """Reject the version of a run that passed the gate, and record that. None: it was decided before."""
    async with database.write() as connection:
        decided = await connection.execute(_decided(run_id, "rejected"))
        if decided.rowcount != 1:
            return None
        return await record_decision(connection, "keep", champion=champion, now=now, report=report)


@retried_if_rolled_back
async def end_pause(database: Database, *, champion: str | None, now: datetime) -> None:
    """Record that nightly promotion is resumed, which ends its pause."""
    async with database.write() as connection:
        await record_decision(connection, "resume", champion=champion, now=now)


async def decide(database: Database, run_id: int, status: Literal["promoted", "rejected"]) -> bool:
    """Record what was decided about a version that passed the gate. False: that was decided before."""
    return await database.execute(_decided(run_id, status)) == 1


async def open_proof(database: Database) -> Run | None:
    """Return the run whose version answers together with the champion."""
    return await latest(database, statuses=("proving",))


async def end_proofs(
    database: Database, status: Literal["rejected", "waiting"], *, before_id: int | None = None
) -> int:
    """End proofs without a result, those of runs before `before_id` or all. Returns how many."""
    statement = update(runs).where(runs.c.status == "proving")
    if before_id is not None:
        statement = statement.where(runs.c.id < before_id)
    return await database.execute(statement.values(status=status))


async def promotion_of(database: Database, version: str) -> Run | None:
    """Return the newest row that made a version champion without a run; None if only a run did."""
    statement = select(runs).where(
        runs.c.challenger == version, runs.c.status == "done", runs.c.trigger.in_(POINTER_MOVES)
    )
    return await _first(database, statement.order_by(runs.c.id.desc()).limit(1))


async def proof_of(database: Database, version: str) -> Run | None:
    """Return the run whose proof made a version champion; None if it became champion otherwise."""
    promotion = await promotion_of(database, version)
    if promotion is None or (promotion.report or {}).get("by") != PROOF:
        return None
    statement = select(runs).where(
        runs.c.challenger == version, runs.c.status == "promoted", runs.c.trigger.not_in(DECISIONS)
    )
    return await _first(database, statement.order_by(runs.c.id.desc()).limit(1))


def failure(reason: TranslatableError | str) -> dict[str, Any]:
    """Return the verdict of a run that the gate did not judge: why, as text and as what translations need."""
    return {"reasons": [str(reason)], "said": to_json(reason)}


@retried_if_rolled_back
async def end_open_training(database: Database, reason: str, *, now: datetime) -> int:
    """Mark open training runs as failed, so that they do not promote. Returns how many."""
    async with database.write() as connection:
        result = await connection.execute(
            update(runs)
            .where(runs.c.status == "open", runs.c.trigger.not_in(DECISIONS))
            .values(status="failed", finished_at=now, verdict=failure(reason))
        )
    return result.rowcount


@retried_if_rolled_back
async def run_if_open(database: Database, run_id: int, action: Callable[[], None]) -> bool:
    """Call `action` under a lock on the run's row if the run is still open. False: it is not open."""
    has_acted = False
    try:
        async with database.write() as connection:
            # `end_open_training` waits for the row.
            row = select(runs.c.status).where(runs.c.id == run_id).with_for_update()
            if (await connection.execute(row)).scalar_one_or_none() != "open":
                return False
            has_acted = True
            action()
    except DatabaseLostError:
        if not has_acted:
            raise
    return True


@retried_if_rolled_back
async def note_verdict(database: Database, run_id: int, place: tuple[int, int]) -> None:
    """Record where the verdict with buttons was posted: channel and message; only of an undecided run."""
    async with database.write() as connection:
        is_undecided = (runs.c.id == run_id) & runs.c.status.in_(UNDECIDED)
        row = (await connection.execute(select(runs.c.report).where(is_undecided).with_for_update())).first()
        if row is not None:
            report = {**(row.report or {}), VERDICT_AT: list(place)}
            await connection.execute(update(runs).where(is_undecided).values(report=report))


async def verdict_of(database: Database, run_id: int) -> tuple[int, int] | None:
    """Return the channel and the message of a run's verdict; None if they are unknown."""
    run = await get_run(database, run_id)
    place = (run.report or {}).get(VERDICT_AT) if run is not None else None
    return None if place is None else (int(place[0]), int(place[1]))


async def get_run(database: Database, run_id: int) -> Run | None:
    """Return a run by its id."""
    return await _first(database, select(runs).where(runs.c.id == run_id))


async def latest(
    database: Database, *triggers: str, statuses: tuple[str, ...] = (), before_id: int | None = None
) -> Run | None:
    """Return the newest run with one of the triggers and statuses (any if empty), before `before_id`."""
    statement = select(runs).order_by(runs.c.id.desc()).limit(1)
    if triggers:
        statement = statement.where(runs.c.trigger.in_(triggers))
    if statuses:
        statement = statement.where(runs.c.status.in_(statuses))
    if before_id is not None:
        statement = statement.where(runs.c.id < before_id)
    return await _first(database, statement)


async def undecided(database: Database) -> list[Run]:
    """Return the runs whose version passed the gate and waits for a decision or a proof, oldest first."""
    statement = select(runs).where(runs.c.status.in_(UNDECIDED)).order_by(runs.c.id)
    return [Run(**row._mapping) for row in await database.fetch(statement)]


async def first_since(database: Database, trigger: str, since: datetime) -> Run | None:
    """Return the oldest run of a trigger that started at `since` or later."""
    statement = (
        select(runs).where(runs.c.trigger == trigger, runs.c.started_at >= since).order_by(runs.c.id).limit(1)
    )
    return await _first(database, statement)


async def last_champion(database: Database) -> str | None:
    """Return the champion after the newest finished run, by its row; None before the first run."""
    run = await latest(database, statuses=FINISHED)
    if run is None:
        return None
    is_moved = run.status in ("promoted", "done") and run.trigger != "domain"
    return run.challenger if is_moved and run.challenger is not None else run.champion


async def latest_training(database: Database) -> Run | None:
    """Return the newest finished run of the pipeline."""
    statement = (
        select(runs)
        .where(runs.c.trigger.not_in(DECISIONS), runs.c.status != "open")
        .order_by(runs.c.id.desc())
        .limit(1)
    )
    return await _first(database, statement)


async def durations_s(database: Database, *triggers: str, limit: int = 5) -> list[float]:
    """Return the durations of the newest runs of the triggers that reached a verdict, newest first."""
    query = (
        select(runs.c.started_at, runs.c.finished_at)
        .where(
            runs.c.trigger.in_(triggers),
            runs.c.status.in_(JUDGED),
            runs.c.finished_at.is_not(None),
        )
        .order_by(runs.c.id.desc())
        .limit(limit)
    )
    return [(finished - started).total_seconds() for started, finished in await database.fetch(query)]


async def latest_judged(database: Database, *, as_of_before: datetime | None = None) -> Run | None:
    """Return the newest run on votes that reached a verdict, or the newest whose `as_of` is earlier."""
    statement = select(runs).where(runs.c.retraining_set_hash.is_not(None), runs.c.status.in_(JUDGED))
    if as_of_before is not None:
        statement = statement.where(runs.c.as_of < as_of_before)
    return await _first(database, statement.order_by(runs.c.id.desc()).limit(1))


async def has_pointer_moved(database: Database, *, since_id: int) -> bool:
    """Whether the champion pointer was moved without a run after the run with this id."""
    moved = select(runs.c.id).where(runs.c.id > since_id, runs.c.trigger.in_(POINTER_MOVES)).limit(1)
    return await database.fetch_first(moved) is not None


async def rolled_back_hashes(database: Database) -> set[str]:
    """Return the hashes of retraining sets whose versions were rolled back and must not be promoted again."""
    query = select(runs.c.retraining_set_hash).where(
        runs.c.trigger == "rollback", runs.c.status == "done", runs.c.retraining_set_hash.is_not(None)
    )
    return {row.retraining_set_hash for row in await database.fetch(query)}


async def paused_since(database: Database) -> datetime | None:
    """Return when a rollback paused nightly promotion; None if a resume or promotion has ended the pause.

    A new domain model does not end the pause, as it is not trained on the votes that led to the rollback.
    Enough new votes since the returned time end it as well; the run decides that.
    """
    rollback = await latest(database, "rollback", statuses=("done",))
    if rollback is None or rollback.finished_at is None:
        return None
    later = select(runs.c.id).where(
        runs.c.id > rollback.id,
        ((runs.c.status == "promoted") & (runs.c.trigger != "domain"))
        | (runs.c.trigger.in_(("resume", "promote")) & (runs.c.status == "done")),
    )
    return None if await database.fetch_first(later.limit(1)) else rollback.finished_at


@retried
async def repair(
    database: Database, *, champion: str | None, now: datetime, domain: str | None = None
) -> list[Run]:
    """Close the rows that a crash left open; call it only while no run is active.

    A run whose challenger has become the champion (or the domain model, for trigger `domain`) is recorded as
    successful, any other as failed. Returns the rows as they were before.
    """
    async with database.write() as connection:
        rows = await connection.execute(
            select(runs).where(runs.c.status == "open").order_by(runs.c.id).with_for_update()
        )
        found = [Run(**row._mapping) for row in rows]
        for run in found:
            pointer = domain if run.trigger == "domain" else champion
            has_moved = run.challenger is not None and run.challenger == pointer
            status = "failed" if not has_moved else ("done" if run.trigger in POINTER_MOVES else "promoted")
            verdict = run.verdict or {}
            if not has_moved:
                verdict = {**verdict, **failure(INTERRUPTED)}
            await connection.execute(
                update(runs)
                .where(runs.c.id == run.id)
                .values(status=status, finished_at=now, verdict=verdict)
            )
    return found


def _decided(run_id: int, status: Literal["promoted", "rejected"]) -> Update:
    is_undecided = (runs.c.id == run_id) & runs.c.status.in_(UNDECIDED)
    return update(runs).where(is_undecided).values(status=status)


async def _first(database: Database, statement: Select[Any]) -> Run | None:
    row = await database.fetch_first(statement)
    return None if row is None else Run(**row._mapping)
