"""Word ranks under other versions, from a short-lived subprocess: the bot loads only the champion."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from bot.errors import WordRanksError
from bot.subprocesses.training_process import SubprocessSlots, ask_subprocess
from training.settings import Settings

log = structlog.stdlib.get_logger(__name__)
TIMEOUT_S = 30.0
RANKINGS, RANKINGS_WITHIN_S = 6, 60  # per person: each loads models


@dataclass(frozen=True, slots=True)
class WordRank:
    """The rank of a word for one mask.

    Attributes:
        word: as the version spells it.
        rank: 1 for the best of all words.
        score: the model's own probability, in [0, 1], without vote adjustment.
        learnt: "wanted" or "unwanted", as the run that made the version judged it in this query; else None.
        held_out: whether that judgement was in the held-out set rather than learnt.
        wanted_elsewhere: number of other queries for which that run learnt the word as wanted.
        unwanted_elsewhere: the same for unwanted.
    """

    word: str
    rank: int
    score: float
    learnt: str | None
    held_out: bool
    wanted_elsewhere: int
    unwanted_elsewhere: int


@dataclass(frozen=True, slots=True)
class MaskRanks:
    """One mask: the best words with scores, and the ranks of the words asked for (None: unknown word)."""

    best: tuple[tuple[str, float], ...]
    places: tuple[WordRank | None, ...]


@dataclass(frozen=True, slots=True)
class VersionRanks:
    """The ranks under one version; `masks` is empty if it could not be loaded."""

    version: str
    kind: str = ""
    parent: str | None = None
    run_id: int | None = None
    masks: tuple[MaskRanks, ...] = ()


class WordRanks:
    """Asks one subprocess at a time: each loads models, which takes memory and a second or two."""

    def __init__(self, settings: Settings, denied: Callable[[], Collection[str]] = tuple) -> None:
        """Rank words with these settings; `denied` returns the words that the team denies."""
        self._settings, self._denied = settings, denied
        self._slots = SubprocessSlots(1)

    async def rank(
        self, text: str, versions: Sequence[str], *, words: Sequence[str] = (), top: int = 1
    ) -> list[VersionRanks]:
        """Return the ranks under each version for a query's text, in the order of `versions`.

        Raises:
            WordRanksError: the subprocess failed or took too long.
            BusyError: too many are waiting.
        """
        question = json.dumps(
            {
                "text": text,
                "versions": [*versions],
                "words": [*words],
                "top": top,
                "denied": [*self._denied()],
            }
        )
        async with self._slots.one():
            try:
                code, out = await ask_subprocess(
                    self._settings, "inspect", question=question.encode(), timeout_s=TIMEOUT_S
                )
                answered = json.loads(out) if code == 0 else None
            except (TimeoutError, OSError, ValueError) as error:
                log.warning("word_ranks.failed", exc_info=True)
                raise WordRanksError from error
        if answered is None:
            log.warning("word_ranks.failed", exit_code=code)
            raise WordRanksError
        return [_ranks(one) for one in answered["versions"]]


def _ranks(answered: dict[str, Any]) -> VersionRanks:
    if "error" in answered:
        return VersionRanks(answered["version"])
    masks = tuple(
        MaskRanks(
            best=tuple((one["word"], one["score"]) for one in mask["best"]),
            places=tuple(WordRank(**one) if one else None for one in mask["words"]),
        )
        for mask in answered.pop("masks")
    )
    return VersionRanks(**answered, masks=masks)
