"""Team-draft interleaving (Radlinski, Kurup & Joachims 2008): one list of words out of those of two models.

For each pair of places a coin decides which model picks first; each picks its best word that is not there
yet. Votes on a word credit the model that picked it. Where both models would have picked the same word, the
coin alone decides, so such a word is credited to neither: a vote on it would only add noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Team = Literal["champion", "challenger"]
Coin = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Pick(Generic[T]):
    """An item of the interleaved list.

    Attributes:
        item: From the list of the model that picked it.
        by: The model that picked it.
        is_shared: Whether the other model would have picked the same item at this place.
    """

    item: T
    by: Team
    is_shared: bool


def team_draft(
    champion: Sequence[T], challenger: Sequence[T], *, size: int, name: Callable[[T], str], coin: Coin
) -> list[Pick[T]]:
    """Interleave two ranked lists.

    Args:
        champion: The champion's items, best first.
        challenger: The challenger's items, best first.
        size: Length of the result; it is shorter if both lists are used up before.
        name: What makes two items the same.
        coin: True if the challenger picks first; asked once for each pair of places.
    """
    lists: dict[Team, Sequence[T]] = {"champion": champion, "challenger": challenger}
    picks: list[Pick[T]] = []
    taken: set[str] = set()

    def best(team: Team) -> T | None:
        return next((item for item in lists[team] if name(item) not in taken), None)

    while len(picks) < size:
        order: tuple[Team, Team] = ("challenger", "champion") if coin() else ("champion", "challenger")
        for team in order:
            offers = {each: best(each) for each in order}
            mine, theirs = (offers[team], offers[order[team == order[0]]])
            item, by = (mine, team) if mine is not None else (theirs, order[team == order[0]])
            if item is None or len(picks) == size:
                return picks
            is_shared = mine is not None and theirs is not None and name(mine) == name(theirs)
            picks.append(Pick(item, by, is_shared))
            taken.add(name(item))
    return picks
