"""Comparisons of any words."""

from typing import Any

from fuzz.hostile import shares, words
from fuzz.targets import target
from fuzz.text_targets import check
from hypothesis import strategies as st

from bot.features.compare import compare_embed

ranked = st.lists(st.tuples(words, shares), min_size=1, max_size=5, unique_by=lambda one: one[0])


@target(
    "comparisons",
    checked="within Discord's limits, and no markup or mention is active",
    inputs=30_000,
    pairs=st.lists(st.tuples(ranked, ranked), min_size=1, max_size=5),
    has_before=st.booleans(),
)
def compared(pairs: list[tuple[Any, Any]], has_before: bool) -> None:
    before = [one for _, one in pairs] if has_before else None
    check(compare_embed([one for one, _ in pairs], before, names=("v0002", "v0001")))
