"""Finds the command that a mistyped one nearly certainly means. Pure.

Other bots on the server may share the prefix, and replying to their commands is worse than not replying.
"""

from collections.abc import Collection

MASK = "[mask]"
# Distinctive names that other bots are unlikely to have.
DISTINCTIVE = frozenset(
    ("retrain", "rollback", "mydata", "forgetme", "optout", "optin", "versions", "model", "compare")
)
# With a mask in the message, these are ours too.
WITH_MASK = frozenset(("fill", "why", "compare", "scores"))
# Real words, and commands of other bots, that differ from ours by one letter.
NOT_SLIPS = frozenset(
    (
        *(
            "compared",
            "compares",
            "compere",
            "forgetmenot",
            "modal",
            "mode",
            "modem",
            "modes",
            "models",
            "mydate",
        ),
        *("optic", "option", "refrain", "restrain", "retain", "retrains", "rollbacks", "version"),
    )
)


def suggest_command(typed: str, text: str, *, names: Collection[str]) -> str | None:
    """Return the intended command; None if the message may be for another bot.

    Args:
        typed: The typed name, without the prefix.
        text: The whole message.
        names: The names of all commands.
    """
    typed = typed.lower()
    has_mask = MASK in text.lower()
    if typed in NOT_SLIPS and not has_mask:
        return None
    possible = DISTINCTIVE | (WITH_MASK if has_mask else frozenset())
    found = [name for name in names if name in possible and _is_slip(typed, name)]
    return found[0] if len(found) == 1 else None


def _is_slip(typed: str, name: str) -> bool:
    """Whether the names differ by one substituted, added, missing or swapped letter, not the first."""
    if typed == name or typed[:1] != name[:1]:
        return False
    if len(typed) == len(name):
        wrong = [at for at, (one, other) in enumerate(zip(typed, name, strict=True)) if one != other]
        if len(wrong) == 1:
            return True
        return (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and typed[wrong[0]] + typed[wrong[1]] == (name[wrong[1]] + name[wrong[0]])
        )
    longer, shorter = (typed, name) if len(typed) > len(name) else (name, typed)
    return len(longer) == len(shorter) + 1 and any(
        longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer))
    )
