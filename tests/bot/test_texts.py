"""The texts: every key that the code names is there, every text is used, and gets what it asks for."""

import ast
import re
import string
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from bot.texts import DEFAULT, FOLDER, in_every_language, languages, named, number, say, speaking, texts_of

BOT = Path(__file__).parents[2] / "bot"
PLURAL = {"one", "other"}
SAYING = {"say", "text_in", "in_every_language", "named"}
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
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
                key = node.args[1 if node.func.id == "text_in" else 0]
                names = frozenset(k.arg for k in node.keywords if k.arg)
                known = None if any(k.arg is None for k in node.keywords) else names
                if isinstance(key, ast.Constant):
                    yield (f"{key.value}.*" if node.func.id == "named" else key.value), known
                elif path.parent.name != "texts":
                    assert isinstance(key, ast.JoinedStr), (
                        f"{path}:{node.lineno}: the key must be written out"
                    )
                    parts = (p.value if isinstance(p, ast.Constant) else "*" for p in key.values)
                    yield "".join(map(str, parts)), known


def own(language: str) -> dict[str, object]:
    """The bot's own texts; those of code below it and of the page are in test_translated_sentences.py."""
    return {group: entry for group, entry in texts_of(language).items() if group not in ("sentences", "page")}


BY_LANGUAGE = {language: dict(leaves(own(language))) for language in languages()}
TEXTS = BY_LANGUAGE[DEFAULT]
USES = sorted(set(uses()), key=str)


# Discord's limits by the place where a text stands; everything else is a message, a description or a footer.
LIMITS = {
    "commands.*": 100,
    "message_commands.*": 32,
    "rating.controls.*fit": 100,
    "rating.controls.*": 80,
    "rating.form_hint": 100,
    "rating.form_*": 45,
    "*.buttons.*": 80,
    "confirmation.*.button": 80,
    "confirmation.*.keep": 80,
    "*title": 256,
    "*_title": 256,
    "run.titles.*": 256,
    "help.groups.*": 256,
    "help.options": 256,
    "help.also": 256,
    "prediction.best*": 256,
    "prediction.next*": 256,
    "prediction.together": 256,
    "privacy.explanation": 4096,  # stands in a file
}
MESSAGE = 2000
ROOM = 12  # for each value that is filled in


def limit_of(key: str) -> int:
    """The first limit whose pattern fits the key."""
    return next((limit for pattern, limit in LIMITS.items() if fnmatchcase(key, pattern)), MESSAGE)


def singly(entry: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Key and text of everything in a file, `one` and `other` apart."""
    if not isinstance(entry, dict):
        yield prefix, str(entry)
    else:
        for name, inner in entry.items():
            yield from singly(inner, f"{prefix}.{name}" if prefix else name)


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


@pytest.mark.parametrize("language", languages())
def test_no_text_stands_in_two_files_of_a_language(language: str) -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (FOLDER / language).glob("*.yaml")]
    keys = Counter(key for texts in files for key, _ in singly(texts))
    assert [key for key, times in keys.items() if times > 1] == []


def test_nothing_in_the_file_is_left_over() -> None:
    used = {key for pattern, _ in USES for key in meant(pattern)}
    assert set(TEXTS) - used == set()


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_same_texts_with_the_same_values(language: str) -> None:
    texts = BY_LANGUAGE[language]
    assert set(texts) == set(TEXTS)
    assert {key: wanted(said) for key, said in texts.items()} == {
        key: wanted(said) for key, said in TEXTS.items()
    }


@pytest.mark.parametrize("language", languages())
def test_every_text_says_something(language: str) -> None:
    assert [key for key, said in BY_LANGUAGE[language].items() if not said.strip()] == []


@pytest.mark.parametrize("language", languages())
def test_no_text_is_longer_than_discord_takes(language: str) -> None:
    lengths = {key: len(said) + ROOM * len(wanted(said)) for key, said in singly(texts_of(language))}
    assert {key: length for key, length in lengths.items() if length > limit_of(key)} == {}


def test_a_name_without_a_text_is_left_as_it_is() -> None:
    with speaking("de"):
        assert named("run.triggers", "nightly") == "nachts"
        assert named("run.triggers", "by. hand") == "by. hand"


def test_every_reason_to_leave_a_vote_out_has_a_text() -> None:
    source = (BOT.parent / "training/votes/checks/votes.py").read_text(encoding="utf-8")
    rules = re.findall(r'^ +\("([a-z ]+)", .*\),$', source, re.MULTILINE)
    assert len(rules) > 5
    assert set(rules) == set(texts_of(DEFAULT)["run"]["left_out_reasons"])


def test_every_step_of_a_run_has_a_text() -> None:
    steps: set[str] = set()
    modules = ("domain/training_run", "finetuning/fine_tune", "models/writing", "pipeline/nightly")
    for path in (*modules, "votes/checks/votes"):
        source = (BOT.parent / f"training/{path}.py").read_text(encoding="utf-8")
        steps.update(re.findall(r'progress\.step\(\s*f?"([^"]+)"', source))
    assert steps == set(texts_of(DEFAULT)["run"]["steps"])


def test_the_language_is_spoken_inside_the_block_alone() -> None:
    with speaking("de"):
        assert say("help.options") == "Optionen"
    assert say("help.options") == "Options"


def test_numbers_have_the_signs_of_the_language() -> None:
    assert (number(1234.5, ",.1f"), number(0.5, ".0%")) == ("1,234.5", "50%")
    with speaking("de"):
        assert (number(1234.5, ",.1f"), number(0.5, ".0%")) == ("1.234,5", "50\u00a0%")
        assert say("people", n=1234) == "1.234 Personen"


def test_a_text_is_recognized_in_every_language() -> None:
    assert {"Options", "Optionen"} <= in_every_language("help.options")


def test_one_and_many_are_said_differently() -> None:
    assert say("prediction.adjusted", n=1) == "adjusted by 1 vote"
    assert say("prediction.adjusted", n=4) == "adjusted by 4 votes"


def test_braces_in_a_value_stay_what_they_are() -> None:
    assert say("errors.not_understood", usage="{prefix}fill").endswith("Try `{prefix}fill`.")


def test_a_key_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        say("no.such.text")
