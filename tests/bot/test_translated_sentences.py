"""Errors and sentences of the code below the bot: each language has a text for them, with their values."""

import ast
import importlib
import inspect
import pkgutil
import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import storage
import training
from bot.texts import DEFAULT, languages, speaking, texts_of, translated
from storage.errors import DatabaseLostError, LockHeldError, StorageError
from storage.sentences import Sentence, TranslatableError, from_json, sentence_in, to_json
from training.errors import CorruptVersionError, RunInProgressError, TrainingError, UnknownVersionError

ROOT = Path(__file__).parents[2]
OTHERS = [language for language in languages() if language != DEFAULT]
BASES = {
    *("StorageError", "TrainingError", "RegistryError", "ServingError", "CsvError"),
    "JobFailedError",  # says what the run on the cluster said
}
# Raised by commands and before the bot is connected, so that only a terminal shows them.
TERMINAL_ONLY = {
    *("SettingsError", "DatabaseUrlError", "DatabaseDriverError", "RestoreError", "InUseError"),
    *("CopyError", "HalfCopiedError", "ServeClusterUnreachableError", "NotDeployedError", "PublishError"),
    *("NotComparableError", "UnknownLossError", "HomeInUseError", "PlotUnwritableError"),
    *("PeopleError", "TasteError", "TooFewJudgementsError"),
}


def subclasses(of: type[TranslatableError]) -> Iterator[type[TranslatableError]]:
    for cls in of.__subclasses__():
        yield cls
        yield from subclasses(cls)


def errors() -> dict[str, type[TranslatableError]]:
    """Every error class of the packages below the bot, by name."""
    for package in (storage, training):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("errors"):
                importlib.import_module(module.name)
    found = {*subclasses(StorageError), *subclasses(TrainingError)}
    return {cls.__name__: cls for cls in found if cls.__module__.startswith(("storage.", "training."))}


def values_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def said_by(entry: str | Mapping[str, Any]) -> Iterator[str]:
    """A text, or every one of its choices."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values():
            yield from said_by(inner)


def templates() -> dict[str, str]:
    """Every template that the code gives to `Sentence`, with the file that it is in."""
    found = {}
    for package in ("storage", "training", "bot"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "Sentence"
                ):
                    assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: write it out"
                    found[str(node.args[0].value)] = str(path)
    return found


ERRORS, TEMPLATES = errors(), templates()


@pytest.mark.parametrize("language", OTHERS)
def test_every_error_that_people_may_read_has_a_text(language: str) -> None:
    needed = ERRORS.keys() - BASES - TERMINAL_ONLY
    assert {name: str(ERRORS[name].__doc__) for name in needed - texts_of(language)["sentences"].keys()} == {}


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_has_a_text(language: str) -> None:
    has_words = {
        one for one in TEMPLATES if any(text.strip(" :;()") for text, *_ in string.Formatter().parse(one))
    }
    assert has_words - texts_of(language)["sentences"].keys() == set()


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_for_a_sentence_that_is_gone(language: str) -> None:
    assert texts_of(language)["sentences"].keys() - TEMPLATES.keys() - ERRORS.keys() == set()


@pytest.mark.parametrize("language", OTHERS)
def test_a_text_asks_for_values_that_there_are(language: str) -> None:
    for key, entry in texts_of(language)["sentences"].items():
        given = values_of(key)
        if key in ERRORS:
            given = {*inspect.signature(ERRORS[key].__init__).parameters, "holder"}
        asked = {*values_of(" ".join(said_by(entry))), *(entry if isinstance(entry, dict) else ())}
        assert asked - given - {"text"} == set(), key


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_too_long_for_a_field(language: str) -> None:
    texts = texts_of(language)["sentences"]
    assert [key for key, entry in texts.items() if max(map(len, said_by(entry))) > 900] == []


def test_an_error_is_said_in_the_language_and_logged_in_english() -> None:
    error = CorruptVersionError("v0007", Sentence("{name} cannot be read", name="model.onnx"))
    with speaking("de"):
        assert translated(error).startswith(
            "Die Modellversion v0007 ist beschädigt: model.onnx ist nicht lesbar."
        )
    assert str(error).startswith("Model version v0007 is damaged: model.onnx cannot be read.")
    assert translated(error) == str(error)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (UnknownVersionError("v9", []), "Versionen hier: noch keine."),
        (UnknownVersionError("v9", ["v1", "v2"]), "Versionen hier: v1, v2."),
        (RunInProgressError(), "Es läuft schon ein Training. Warte"),
        (RunInProgressError("host:7"), "Es läuft schon ein Training (host:7). Warte"),
        (LockHeldError("run", "fillbot host:7 bot"), "ein anderer Prozess (host:7)"),
        (DatabaseLostError("here", "gone"), "Es wurden keine Daten geschrieben."),
        (DatabaseLostError("here", "gone", is_rolled_back=False), "kann geschrieben worden sein."),
    ],
)
def test_a_text_chooses_by_a_value(error: TranslatableError, part: str) -> None:
    with speaking("de"):
        assert part in translated(error)


def test_a_sentence_survives_json() -> None:
    inner = Sentence("{n} behaviour tests", n=3)
    sentence = Sentence("{version} was not promoted: {reasons:; }.", version="v0002", reasons=[inner, "no"])
    assert sentence == "v0002 was not promoted: 3 behaviour tests; no."
    again = from_json(to_json(sentence))
    assert again == sentence
    with speaking("de"):
        assert translated(again) == "v0002 wurde nicht übernommen: 3 Verhaltenstests; no."


@pytest.mark.parametrize("line", [{"sentence": "Full."}, {"said": "Full."}, {"said": 7, "sentence": "Full."}])
def test_a_line_without_a_key_is_read_as_it_is(line: dict[str, Any]) -> None:
    assert sentence_in(line) == "Full."


def test_a_stored_sentence_with_other_values_stays_english() -> None:
    stored = {"text": "3 tests", "key": "{n} behaviour tests", "values": {"tests": 3}}
    with speaking("de"):
        assert translated(from_json(stored)) == "3 tests"


def test_a_criterion_of_an_older_run_stays_english() -> None:
    with speaking("de"):
        assert translated(from_json({"name": "drift", "passed": False, "text": "0.2 nats"})) == "0.2 nats"


def texts_of_page() -> set[str]:
    """What the scripts of the page give to `say`, and what its HTML shows."""
    page = ROOT / "bot" / "sandbox" / "page"
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in page.glob("*.js"))
    literal = r'"((?:[^"\\]|\\.)*)"'
    calls = re.findall(rf"\bsay\(\s*{literal}(?:\s*\+\s*{literal})?", scripts)
    assert len(calls) == len(re.findall(r"\bsay\(", scripts)) - 2  # those in translatePage
    html = re.sub(r"<noscript>.*?</noscript>", "", (page / "index.html").read_text(encoding="utf-8"))
    shown = {text.strip() for text in re.findall(r">([^<>]+)<", html.partition("<body>")[2])} - {"", "…"}
    return {first + second for first, second in calls} | shown | {*re.findall(r'aria-label="([^"]+)"', html)}


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_of_the_page_has_a_translation(language: str) -> None:
    texts = texts_of(language)["page"]
    assert texts.keys() == texts_of_page()
    assert [key for key, text in texts.items() if values_of(key) != values_of(text)] == []
