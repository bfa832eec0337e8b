"""Tastes: preferences of a team over words of the same polarity, applied to the sentences of a simulation.

A taste turns words of main sentences only: control and retention sentences ask for what they say, whatever
the team likes.
"""

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from storage.files.text import read_text
from training.errors import TasteError
from training.evaluation.metrics import Case

KEPT_GROUPS = ("control", "retention")  # must not get worse; all other groups are "main" and must get better
RANDOM = re.compile(r"random:(?P<seed>\d+)")


@dataclass(frozen=True, slots=True)
class Taste:
    """Words that the team wants or rejects where a sentence lists them; others are as the sentence says."""

    wanted: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str, cases: Iterable[Case]) -> Self:
        """Read `random:SEED`, or the name of a JSON file with wanted and unwanted words.

        Args:
            text: the taste.
            cases: the sentences whose wanted words a random taste is drawn over.

        Raises:
            TasteError: the taste cannot be read.
        """
        if found := RANDOM.fullmatch(text):
            return cls.random(int(found["seed"]), cases)
        try:
            row = json.loads(read_text(Path(text)))
        except (OSError, ValueError) as error:
            raise TasteError(text, str(error)) from error
        sides = [row.get(side, []) for side in ("wanted", "unwanted")] if isinstance(row, dict) else [None]
        if not all(isinstance(side, list) and all(isinstance(w, str) for w in side) for side in sides):
            raise TasteError(text, "wanted and unwanted must be lists of words")
        wanted, unwanted = (frozenset(word.lower() for word in side or ()) for side in sides)
        if both := wanted & unwanted:
            raise TasteError(text, f"{min(both)!r} is both wanted and unwanted")
        return cls(wanted, unwanted)

    @classmethod
    def random(cls, seed: int, cases: Iterable[Case]) -> Self:
        """Like each wanted word of the main sentences with probability ½, and reject the others.

        A word's side depends on the word and the seed alone, so that it is the same with other sentences.
        """
        words = {word.lower() for case in cases if case.group not in KEPT_GROUPS for word in case.wanted}
        liked = {word for word in words if random.Random(f"taste {seed}, {word}").random() < 0.5}  # noqa: S311
        return cls(frozenset(liked), frozenset(words - liked))

    def turned(self, case: Case) -> Case:
        """Return the sentence with its words on the sides that the team sees them on."""
        if case.group in KEPT_GROUPS:
            return case
        rejected = [word for word in case.wanted if word.lower() in self.unwanted]
        liked = [word for word in case.unwanted if word.lower() in self.wanted]
        return replace(
            case,
            wanted=(*(word for word in case.wanted if word not in rejected), *liked),
            unwanted=(*rejected, *(word for word in case.unwanted if word not in liked)),
        )
