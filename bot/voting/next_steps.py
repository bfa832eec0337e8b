"""What happens next with the words that a person rated in a menu or suggested, in one line."""

import math
import time
from collections.abc import Callable, Collection

from bot.answering.vote_adjustment import VoteRules, weigh_votes
from bot.settings import Settings
from bot.texts import say
from storage import runs
from storage.database import Database
from storage.people.personal_data import has_placeholder
from storage.votes.consensus import has_agreed_words, votes_on_query
from storage.votes.menu_votes import MaskWord
from storage.votes.predictions import query_of
from training.votes.aggregation import MIN_MARGIN

ENOUGH_FOR_S = 60.0  # how long the answer of a query over many votes is kept


class NextSteps:
    """Knows which of the votes that a person just cast count, and when the model learns from them."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        prefix: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._settings, self._prefix, self._clock = database, settings, prefix, clock
        self._enough_until = -math.inf

    async def after(
        self, prediction_id: int, words: Collection[MaskWord], *, weight: float, is_suggestion: bool = False
    ) -> str:
        """Return the line on votes that were just cast by a person who has not opted out.

        Args:
            prediction_id: The prediction.
            words: The rated words; empty if votes were only withdrawn.
            weight: How much the votes count by the voter's roles.
            is_suggestion: Whether the words were suggested: they need not be among those that the model ranks
                high enough for votes to show at once.
        """
        asked = await query_of(self._database, prediction_id)
        if asked is None or not words:
            return ""
        query, query_hash = asked
        if has_placeholder(query):
            return say("rating.next.private")
        if not weight:
            return say("rating.next.no_weight")
        rules = VoteRules.of(self._settings)
        weighed = weigh_votes(await votes_on_query(self._database, query_hash), rules)
        known = [weighed[word] for word in words if word in weighed]
        if not any(one.is_judged for one in known):
            is_short = any(one.voters < rules.min_voters for one in known)
            return say("rating.next.waits", n=rules.min_voters) if is_short else say("rating.next.disagree")
        if is_suggestion:
            return await self._other_sentences()
        is_all = len(known) == len(words) and all(one.is_judged for one in known)
        seen = say("rating.next.seen") if is_all else say("rating.next.partly_seen")
        return f"{seen} {await self._other_sentences()}"

    async def _other_sentences(self) -> str:
        """Say when other sentences change: at night, unless a night alone cannot promote a model."""
        if self._settings.word_lists == "off" or self._settings.promotion == "ask":
            return say("rating.next.by_hand")
        if await runs.paused_since(self._database) is not None:
            return say("rating.next.paused", prefix=self._prefix())
        if not await self._has_enough():
            return say("rating.next.few", n=self._settings.needed_judgements)
        if self._settings.promotion == "proof":
            return say("rating.next.proof")
        return say("rating.next.tonight")

    async def _has_enough(self) -> bool:
        """Whether a run has enough judged words; that it has is kept for a minute, as counting takes long."""
        if self._clock() < self._enough_until:
            return True
        has_enough = await has_agreed_words(
            self._database,
            self._settings.needed_judgements,
            min_voters=self._settings.needed_voters,
            min_margin=MIN_MARGIN,
        )
        if has_enough:  # the next vote may be the one that was missing
            self._enough_until = self._clock() + ENOUGH_FOR_S
        return has_enough
