"""A mistyped command → the one that was meant, where that is nearly certain. Pure.

Other bots of a server often have the same prefix. An answer to a command of theirs is worse than none.
"""

from collections.abc import Collection

MASK = "[mask]"
# Long or odd enough that no other bot is likely to have them.
OURS = frozenset(
    ("retrain", "rollback", "mydata", "forgetme", "optout", "optin", "versions", "model", "compare")
)
# With a mask in the text, these can be no other bot's.
TAKE_A_SENTENCE = frozenset(("fill", "why", "compare", "scores"))
# Words, and commands of other bots, that are one slip away from one of those.
WORDS = frozenset(
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
    """Return the command that was nearly certainly meant; None: perhaps another bot's.

    Args:
        typed: the name as it was typed, without the prefix.
        text: the whole message.
        names: of all commands.
    """
    typed = typed.lower()
    has_mask = MASK in text.lower()
    if typed in WORDS and not has_mask:
        return None
    possible = OURS | (TAKE_A_SENTENCE if has_mask else frozenset())
    found = [name for name in names if name in possible and _is_slip(typed, name)]
    return found[0] if len(found) == 1 else None


def _is_slip(typed: str, name: str) -> bool:
    """Whether one letter is wrong, too many or too few, or two neighbours changed places; never the first."""
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
