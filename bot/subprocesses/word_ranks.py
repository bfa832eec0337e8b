"""Asks a short-lived child where words stand under other versions: the bot holds the champion alone."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from bot.errors import WordRanksError
from bot.subprocesses.training_process import SubprocessSlots, ask_subprocess
from training.errors import RegistryError
from training.registry.versions import Registry
from training.settings import Settings

log = structlog.stdlib.get_logger(__name__)
TIMEOUT_S = 30.0
MAX_EARLIER = 3  # versions before the champion, beside the domain model


@dataclass(frozen=True, slots=True)
class WordRank:
    """Where a word stands for one mask.

    Attributes:
        word: as the version spells it.
        rank: 1 for the best of all words.
        score: the bare model's probability, in [0, 1].
        learnt: "wanted" or "unwanted", as the run that made the version judged it in this query; else None.
        held_out: whether that judgement was kept back to test the version, and not learnt.
        wanted_elsewhere: on how many other queries that run learnt to want it.
        unwanted_elsewhere: the same for not wanting it.
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
    """One mask: the best words with their scores, and the places of those asked for; None: no such word."""

    best: tuple[tuple[str, float], ...]
    places: tuple[WordRank | None, ...]


@dataclass(frozen=True, slots=True)
class VersionRanks:
    """What one version says; `masks` is empty where it could not be loaded."""

    version: str
    kind: str = ""
    parent: str | None = None
    run_id: int | None = None
    masks: tuple[MaskRanks, ...] = ()


class WordRanks:
    """One child at a time: each loads models, which takes memory and a second or two."""

    def __init__(self, settings: Settings) -> None:
        """Take what the child is told."""
        self._settings = settings
        self._slots = SubprocessSlots(1)

    async def rank(
        self, text: str, versions: Sequence[str], *, words: Sequence[str] = (), top: int = 1
    ) -> list[VersionRanks]:
        """What each version says of a query's text, in the order of `versions`.

        Args:
            text: the query's.
            versions: those to ask.
            words: to look up at every mask.
            top: how many of the best words of every mask to list.

        Raises:
            WordRanksError: the child could not be asked, or took too long.
            BusyError: too many wait already.
        """
        question = json.dumps({"text": text, "versions": [*versions], "words": [*words], "top": top})
        async with self._slots.one():
            try:
                code, out = await ask_subprocess(
                    self._settings, "look", question=question.encode(), timeout_s=TIMEOUT_S
                )
                answered = json.loads(out) if code == 0 else None
            except (TimeoutError, OSError, ValueError) as error:
                log.warning("look.failed", exc_info=True)
                raise WordRanksError from error
        if answered is None:
            log.warning("look.failed", exit_code=code)
            raise WordRanksError
        return [_look(one) for one in answered["versions"]]


def earlier_versions(registry: Registry, version: str) -> list[str]:
    """The champions before a version that are still there, the latest first, and the domain model."""
    found = [version]
    with suppress(RegistryError):  # there is none before, or a card is damaged
        while len(found) <= MAX_EARLIER and (earlier := registry.previous(found[-1])) not in found:
            found.append(earlier)
    domain = registry.domain()
    if domain in registry.versions() and domain not in found:
        found.append(str(domain))
    return found[1:]


def _look(told: dict[str, Any]) -> VersionRanks:
    if "trouble" in told:
        return VersionRanks(told["version"])
    masks = tuple(
        MaskRanks(
            tuple((one["word"], one["score"]) for one in mask["best"]),
            tuple(_place(one) if one else None for one in mask["words"]),
        )
        for mask in told["masks"]
    )
    return VersionRanks(told["version"], told["kind"], told["parent"], told["run_id"], masks)


def _place(told: dict[str, Any]) -> WordRank:
    return WordRank(
        word=told["word"],
        rank=told["rank"],
        score=told["score"],
        learnt=told["as"],
        held_out=told["split"] == "held_out",
        wanted_elsewhere=told["wanted_elsewhere"],
        unwanted_elsewhere=told["unwanted_elsewhere"],
    )
