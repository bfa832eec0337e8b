"""Ends a proof once votes have decided, or nothing is left to decide.

Every check reads all votes from the database, so that a restart loses nothing, and votes of forgotten people
no longer count. The challenger is promoted by the same steps as by an admin's button.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.announcements.report_channel import ReportChannel
from bot.embeds.replies import percent
from bot.errors import DecisionError
from bot.proof.evidence import Credit, Score, decided_answers, score_of
from bot.runs.approval_comparison import within_share
from bot.runs.decisions import Decisions, compared_with
from bot.texts import say
from storage import runs as run_records
from storage.database import Database
from storage.errors import StorageError
from storage.runs import PROOF, Run
from storage.votes.credits import credited_votes
from training.errors import RegistryError, TrainingError
from training.registry.versions import Registry

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a proof counts votes, and when it ends without a result.

    Attributes:
        min_voters: With fewer voters, a voter's largest share is computed as if there were this many.
        most: Decided answers.
        days: Age of the proof.
    """

    min_voters: int
    most: int
    days: float


class ProofWatch:
    """Scores the open proof and ends it."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        decisions: Decisions,
        reports: ReportChannel,
        limits: Limits,
        is_on: bool,
        prefix: Callable[[], str],
    ) -> None:
        self._database, self._registry = database, registry
        self._decisions, self._reports = decisions, reports
        self._limits, self._is_on, self._prefix = limits, is_on, prefix

    async def run(self, *, every_s: float) -> None:
        """Check until cancelled. If proofs are off, leave an open one to the admins and return."""
        if not self._is_on:
            await run_records.end_proofs(self._database, "waiting")
            return
        while True:
            try:
                await self.check()
            except (StorageError, TrainingError, DecisionError) as error:
                log.warning("proof.not_checked", reason=str(error))
            await asyncio.sleep(every_s)

    async def check(self) -> str | None:
        """Check once. Returns how the proof ended; None if it goes on or does not exist.

        Raises:
            DecisionError, TrainingError, StorageError: As `Decisions.promote`.
        """
        run = await run_records.open_proof(self._database)
        if run is None or run.challenger is None:
            return None
        earlier = [one for one in await run_records.undecided(self._database) if one.id < run.id]
        if await run_records.end_proofs(self._database, "rejected", before_id=run.id):
            log.info("proof.replaced", by=run.challenger, run_id=run.id)
            for one in earlier:
                if one.status == "proving":
                    await self._reports.take_buttons(one)
        if self._registry.champion() == run.challenger:  # promoted by hand, or just before a crash
            await run_records.decide(self._database, run.id, "promoted")
            if await run_records.proof_of(self._database, run.challenger) is not None:
                promoted = await run_records.promotion_of(self._database, run.challenger)
                await self._tell("promote", run, await self.score(run), record=promoted)
            return "promote"
        if (lost := self._reason_to_end(run)) is not None:
            if lost != "unclear":
                await run_records.decide(self._database, run.id, "rejected")
                await self._tell(lost, run, Score(0, 0))
            return lost
        score = await self.score(run)
        end = score.conclusion(most=self._limits.most) or ("stop" if self._is_old(run) else None)
        if end is None:
            return None
        decide = self._decisions.promote if end == "promote" else self._decisions.keep
        decision = await decide(run.id, run.challenger, by=PROOF)
        log.info(
            "proof.ended",
            end=end,
            challenger=run.challenger,
            wins=score.wins,
            losses=score.losses,
            run_id=run.id,
        )
        await self._tell(end, run, score, record=decision.record)
        return end

    async def score(self, run: Run) -> Score:
        """Return how many decided answers each version of a proof has won.

        Raises:
            StorageError: The database cannot be read.
        """
        versions = (compared_with(self._registry, run) or "", run.challenger or "")
        since = run.finished_at or run.started_at
        found = await credited_votes(self._database, versions, since=since)
        signs = {versions[0]: -1, versions[1]: 1}
        credits_ = [
            Credit(vote.prediction_id, vote.voter_id, vote.value * signs[vote.model_version], vote.cast_at)
            for vote in found
        ]
        return score_of(within_share(decided_answers(credits_), min_voters=self._limits.min_voters))

    async def figures(self, version: str, *, is_loaded: bool) -> list[str]:
        """Say which two versions answer now, and how people preferred `version` if a proof promoted it.

        Args:
            version: The champion.
            is_loaded: Whether the challenger answers in this process.
        """
        lines = []
        try:
            run = await run_records.open_proof(self._database) if self._is_on else None
            if run is not None:
                names = {"champion": compared_with(self._registry, run), "challenger": run.challenger}
                score = await self.score(run)
                if not is_loaded:
                    lines.append(say("proof.not_loaded", **names))
                elif score.decided:
                    lines.append(say("proof.open", **names, **_values(score)))
                else:
                    lines.append(say("proof.open_without_votes", **names))
            if (proved := await self.figure(version)) is not None:
                lines.append(proved)
        except (StorageError, RegistryError) as error:
            log.warning("proof.not_checked", reason=str(error))
        return lines

    async def figure(self, version: str) -> str | None:
        """Say how people preferred a version that a proof promoted; None for any other.

        Raises:
            StorageError: The database cannot be read.
        """
        run = await run_records.proof_of(self._database, version)
        if run is None or not (score := await self.score(run)).decided:
            return None
        return say("proof.preferred", version=version, before=run.champion, **_values(score))

    def _reason_to_end(self, run: Run) -> str | None:
        """Return why a proof is void, "unclear" while a champion is being replaced, None if it is valid."""
        champion, withdrawn = self._registry.champion(), self._registry.withdrawn()
        if run.challenger in withdrawn or run.challenger not in self._registry.versions():
            return "lost"
        if champion in withdrawn:
            return "unclear"  # a run is about to replace it
        return None if champion == compared_with(self._registry, run) else "other_champion"

    def _is_old(self, run: Run) -> bool:
        return datetime.now(UTC) - (run.finished_at or run.started_at) > timedelta(days=self._limits.days)

    async def _tell(self, end: str, run: Run, score: Score, *, record: Run | None = None) -> None:
        """Post how a proof ended, under the row that records the decision, or else under its run."""
        about = {"challenger": run.challenger, "champion": run.champion, "prefix": self._prefix()}
        how = "unvoted" if end == "stop" and not score.decided else end
        sentence = say(f"proof.ended.{how}", **about, **_values(score))
        await self._reports.take_buttons(run)
        ended = replace(run, status="promoted" if end == "promote" else "rejected")
        await self._reports.post_notice(sentence, run=record or ended)


def _values(score: Score) -> dict[str, object]:
    return {
        "n": score.decided,
        "wins": score.wins,
        "share": percent(score.share),
        "at_least": percent(score.at_least),
    }
