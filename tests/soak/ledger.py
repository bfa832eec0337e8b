"""What must be true at the end: which votes stand, and which versions may have answered. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

Owner = tuple[int, int]  # prediction and voter


@dataclass(frozen=True, slots=True)
class Choice:
    """A word chosen in a menu; `drawn_at`, when the menu was last edited, does not tell choices apart."""

    mask: int
    word: str
    value: int
    drawn_at: datetime | None = field(default=None, compare=False)

    @property
    def opposite(self) -> "Choice":
        """The same word in the other menu."""
        return replace(self, value=-self.value)


Choices = frozenset[Choice]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Words chosen in a menu of one sign; `before` are the choices that may have stood then."""

    owner: Owner
    value: int
    chosen: Choices
    drawn_at: datetime | None
    before: frozenset[Choices]

    @property
    def after(self) -> frozenset[Choices]:
        """What may stand once it is stored.

        What was chosen in this menu before is withdrawn, unless the message was edited since: then the person
        saw an empty menu.
        """

        def stays(choice: Choice) -> bool:
            if choice in self.chosen or choice.opposite in self.chosen:
                return False
            return choice.value != self.value or choice.drawn_at != self.drawn_at

        return frozenset(frozenset(filter(stays, one)) | self.chosen for one in self.before)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of the votes table."""

    prediction_id: int
    voter_id: int
    mask: int
    word: str
    value: int
    via: str


@dataclass(slots=True)
class Compared:
    """Votes that stand for people, and what became of them."""

    standing: int
    lost: list[Owner]
    invented: list[Owner]


class Ledger:
    """The votes as people see them: thumbs under replies, and menus whose choice was confirmed."""

    def __init__(self) -> None:
        """Start without votes."""
        self.thumbs: dict[Owner, int] = {}
        self.menus: dict[Owner, frozenset[Choices]] = {}

    def attempt(
        self, owner: Owner, value: int, words: Iterable[tuple[int, str]], drawn_at: datetime | None = None
    ) -> Attempt:
        """Somebody chose words: until that is confirmed, it may be stored or not."""
        before = self.menus.get(owner, frozenset({Choices()}))
        chosen = frozenset(Choice(mask, word, value, drawn_at) for mask, word in words)
        made = Attempt(owner, value, chosen, drawn_at, before)
        self.menus[owner] = before | made.after
        return made

    def confirm(self, attempt: Attempt) -> None:
        """The bot said that it is stored."""
        self.menus[attempt.owner] = attempt.after

    def compare_thumbs(self, stored: Iterable[StoredRow], *, masks: dict[int, int]) -> Compared:
        """Each thumb is one vote on the top word of every mask; `masks` has their number by prediction."""
        found: dict[Owner, list[int]] = {}
        for row in stored:
            if row.via == "reaction":
                found.setdefault((row.prediction_id, row.voter_id), []).append(row.value)
        wanted = {owner: [value] * masks[owner[0]] for owner, value in self.thumbs.items()}
        lost = [owner for owner, values in wanted.items() if found.get(owner) != values]
        invented = [owner for owner, values in found.items() if wanted.get(owner) != values]
        return Compared(len(wanted), lost, invented)

    def compare_menus(self, stored: Iterable[StoredRow]) -> Compared:
        """What stands must be one of the things that may."""
        found: dict[Owner, set[Choice]] = {}
        for row in stored:
            if row.via == "menu":
                choice = Choice(row.mask, row.word, row.value)
                found.setdefault((row.prediction_id, row.voter_id), set()).add(choice)
        lost, invented = [], [owner for owner in found if owner not in self.menus]
        for owner, possible in self.menus.items():
            stands = frozenset(found.get(owner, ()))
            if stands not in possible:
                nearest = min(possible, key=lambda one: len(one ^ stands))
                lost += [owner] * bool(nearest - stands)
                invented += [owner] * bool(stands - nearest)
        return Compared(sum(Choices() not in one for one in self.menus.values()), lost, invented)


@dataclass(frozen=True, slots=True)
class Reign:
    """When a version was champion, in seconds of the run; the last one ends at infinity."""

    version: str
    from_s: float
    until_s: float


def may_answer(
    version: str, reigns: Iterable[Reign], *, asked_s: float, replied_s: float, lag_s: float
) -> bool:
    """Whether a version was champion at some moment between asking and answering.

    The bot looks at the pointer every so often and loads what it finds: for `lag_s` the one before may serve.
    """
    return any(
        one.version == version and one.from_s <= replied_s and one.until_s + lag_s >= asked_s
        for one in reigns
    )
