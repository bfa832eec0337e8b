"""Optional features: each is a module or a package here, and a line in `FEATURES`.

Features import the core and never each other; of them, the core imports only this list.
`docs/architecture.md` says how to add and how to remove one.
"""

from importlib import import_module

from bot.wiring import Parts

# Each has a function `add(parts)`.
FEATURES = (
    "versions",
    "scores",
    "report",
    "stats",
    "quiz",
    "undo",
    "why",
    "words",
    "compare",
    "export",
    "imports",
    "team_words",
    "digest",
    "did_you_mean",
)


def add_features(parts: Parts) -> None:
    """Add every feature to a bot that is not connected yet."""
    for name in FEATURES:
        import_module(f"bot.features.{name}").add(parts)
