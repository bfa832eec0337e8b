"""The texts: every key that the code names is there, every text is used, and gets what it asks for."""

import ast
import string
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from bot.texts import DEFAULT, say, texts_of

BOT = Path(__file__).parents[2] / "bot"
PLURAL = {"one", "other"}
Use = tuple[str, frozenset[str] | None]  # a key, perhaps with a `*`, and the values given; None: not known


def leaves(entry: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Key and text of everything in the file; one key for `one` and `other`."""
    if not isinstance(entry, dict):
        yield prefix, str(entry)
    elif entry.keys() == PLURAL:
        yield prefix, " ".join(entry.values())
    else:
        for name, inner in entry.items():
            yield from leaves(inner, f"{prefix}.{name}" if prefix else name)


def uses() -> Iterator[Use]:
    """Every call of `say` in the package."""
    for path in sorted(BOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                key = node.args[0]
                names = frozenset(k.arg for k in node.keywords if k.arg)
                known = None if any(k.arg is None for k in node.keywords) else names
                if isinstance(key, ast.Constant):
                    yield key.value, known
                else:
                    assert isinstance(key, ast.JoinedStr), (
                        f"{path}:{node.lineno}: the key must be written out"
                    )
                    parts = (p.value if isinstance(p, ast.Constant) else "*" for p in key.values)
                    yield "".join(map(str, parts)), known


TEXTS = dict(leaves(texts_of(DEFAULT)))
USES = sorted(set(uses()), key=str)


def wanted(said: str) -> set[str]:
    """The values that a text asks for."""
    return {name for _, name, _, _ in string.Formatter().parse(said) if name}


def meant(pattern: str) -> list[str]:
    """The keys that a use may mean."""
    return [key for key in TEXTS if fnmatchcase(key, pattern)]


@pytest.mark.parametrize(("pattern", "given"), USES)
def test_what_the_code_says_is_in_the_file(pattern: str, given: frozenset[str] | None) -> None:
    keys = meant(pattern)
    assert keys, pattern
    if given is not None:
        assert all(wanted(TEXTS[key]) <= given for key in keys)


def test_nothing_in_the_file_is_left_over() -> None:
    used = {key for pattern, _ in USES for key in meant(pattern)}
    assert set(TEXTS) - used == set()


def test_descriptions_are_as_short_as_discord_wants_them() -> None:
    assert all(len(said) <= 100 for key, said in TEXTS.items() if key.startswith("commands."))


def test_one_and_many_are_said_differently() -> None:
    assert say("prediction.adjusted", n=1) == "adjusted by 1 vote"
    assert say("prediction.adjusted", n=4) == "adjusted by 4 votes"


def test_braces_in_a_value_stay_what_they_are() -> None:
    assert say("errors.did_you_mean", usage="{prefix}fill") == "Did you mean `{prefix}fill`?"


def test_a_key_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        say("no.such.text")
