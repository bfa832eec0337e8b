"""Keeps the words that the team denies out of all answers of this process."""

import asyncio

import structlog

from bot.answering.predictor import Predictor
from storage.database import Database
from storage.denied_words import read_denied
from storage.errors import StorageError
from training.inference.vocabulary import denied_words

log = structlog.stdlib.get_logger(__name__)
LOOK_EVERY_S = 2.0  # until a change made in another process takes effect


async def all_denied(database: Database) -> frozenset[str]:
    """Return the words on which no vote counts, in lower case: those of the shipped list and the team's."""
    team = [one.word for one in await read_denied(database)]
    return frozenset(word.lower() for word in (*denied_words(), *team))


class DeniedWords:
    """Reads the team's denied words from the database, and tells the predictor when they change."""

    def __init__(self, database: Database, predictor: Predictor) -> None:
        self._database, self._predictor = database, predictor
        self._known: frozenset[str] = frozenset()
        self._loading = asyncio.Lock()  # of two loads, the one that read later must apply its list last

    async def load(self) -> None:
        """Apply what the database holds now.

        Raises:
            StorageError: It cannot be read.
        """
        async with self._loading:
            words = frozenset(one.word for one in await read_denied(self._database))
            if words != self._known:
                await self._predictor.deny(words)
                self._known = words
                log.info("denied_words.changed", words=len(words))

    async def watch(self) -> None:
        """Apply changes made in other processes; runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.load()
            except (StorageError, OSError) as error:
                log.warning("denied_words.not_read", reason=str(error))
