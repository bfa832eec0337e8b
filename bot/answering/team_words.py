"""Applies the words that the team denies and prefers to all answers of this process."""

import asyncio

import structlog

from bot.answering.predictor import Predictor
from storage.database import Database
from storage.errors import StorageError
from storage.team_words import Kind, read_words
from training.inference.vocabulary import denied_words

log = structlog.stdlib.get_logger(__name__)
LOOK_EVERY_S = 2.0  # until a change made in another process takes effect


async def all_denied(database: Database) -> frozenset[str]:
    """Return the words on which no vote counts, in lower case: those of the shipped list and the team's."""
    return denied_words() | await _words(database, "denied")


class TeamWords:
    """Reads the team's words from the database, and gives them to the predictor when they change."""

    def __init__(self, database: Database, predictor: Predictor) -> None:
        self._database, self._predictor = database, predictor
        self._loading = asyncio.Lock()  # of two loads, the one that read later must apply its lists last

    async def load(self) -> None:
        """Apply what the database holds now.

        Raises:
            StorageError: It cannot be read.
        """
        async with self._loading:
            denied, preferred = [await _words(self._database, kind) for kind in ("denied", "preferred")]
            if preferred != self._predictor.preferred:
                self._predictor.preferred = preferred
                log.info("preferred_words.changed", words=len(preferred))
            if denied != self._predictor.denied:
                await self._predictor.deny(denied)
                log.info("denied_words.changed", words=len(denied))

    async def watch(self) -> None:
        """Apply changes made in other processes; runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.load()
            except (StorageError, OSError) as error:
                log.warning("team_words.not_read", reason=str(error))


async def _words(database: Database, kind: Kind) -> frozenset[str]:
    return frozenset(one.word for one in await read_words(database, kind))
