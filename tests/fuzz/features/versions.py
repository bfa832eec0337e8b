"""Lists of any versions."""

from fuzz.targets import target
from fuzz.text_targets import cards, check

from bot.features.versions import versions_embed
from training.registry.card import Card


@target(
    "lists of versions",
    checked="within Discord's limits, and no markup or mention is active",
    inputs=5_000,
    card=cards,
)
def listed(card: Card) -> None:
    check(versions_embed([("v0007", card), ("v0008", None)] * 6, champion="v0007", domain="v0008"))
