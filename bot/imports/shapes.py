"""The shapes of files with judgements: CSV, JSON lines, and the JSON exports of Argilla and Label Studio.

Every shape is read as answers: a sentence, and under a name what was said about it. The names `wanted` and
`unwanted`, and a few synonyms, hold words; a label on the sentence's own `word` says whether it is wanted; of
a ranking, the first place is wanted and the last one is not. Who answered is not read.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import ImportFileError
from bot.texts import say

SENTENCE = ("sentence", "text", "query", "prompt", "input")
WORD = ("word", "completion")
WANTED = frozenset({"wanted", "chosen", "good", "positive", "fits", "yes", "true", "1"})
UNWANTED = frozenset({"unwanted", "rejected", "bad", "negative", "unfit", "no", "false", "0", "-1"})
SEPARATOR = re.compile(r"[;,|\n]+")
LABELS = ("label", "vote", "value", "verdict", "wanted")  # of a sentence's own word, in plain records
IGNORED_STATUS = ("discarded", "draft")  # of answers in Argilla

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a file says about one word of one sentence; `mask_index` is None if it names no mask."""

    sentence: str
    word: str
    is_wanted: bool
    mask_index: int | None = None


def read_opinions(name: str, data: bytes) -> Iterator[Opinion]:
    """Yield the opinions of a file, by its name's ending.

    Raises:
        ImportFileError: The file cannot be read; the text says why.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportFileError(say("import.not_utf8")) from error
    ending = name.rpartition(".")[2].lower()
    if ending == "csv":
        records = _csv_records(text)
    elif ending in ("json", "jsonl"):
        records = _json_records(text)
    else:
        raise ImportFileError(say("import.ending"))
    for number, record in records:
        if not isinstance(record, dict):
            raise ImportFileError(say("import.no_object", line=number))
        yield from _opinions(record)


def _csv_records(text: str) -> Iterator[tuple[int, Any]]:
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        for record in reader:
            yield reader.line_num, {key: value for key, value in record.items() if key is not None}
    except csv.Error as error:
        raise ImportFileError(say("import.unreadable", reason=error)) from error


def _json_records(text: str) -> Iterator[tuple[int, Any]]:
    try:
        if text.lstrip().startswith("["):
            yield from enumerate(json.loads(text), start=1)
            return
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield number, json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ImportFileError(say("import.unreadable", reason=error)) from error


def _opinions(record: Json) -> Iterator[Opinion]:
    """Yield the opinions of one record."""
    fields, answers = _fields_and_answers(record)
    is_plain = fields is record
    fields = {str(key).strip().lower(): value for key, value in fields.items() if key is not None}
    sentence = _first_text(fields, SENTENCE)
    if sentence is None and not is_plain:
        texts = [value for key, value in fields.items() if key not in WORD and isinstance(value, str)]
        sentence = texts[0] if len(texts) == 1 else sentence
    if sentence is None:
        return
    word = _first_text(fields, WORD)
    mask = _number(fields.get("mask"))
    for name, value in answers:
        for one, is_wanted in _judged(name.strip().lower(), value, word):
            yield Opinion(sentence, one, is_wanted, mask)


def _fields_and_answers(record: Json) -> tuple[Mapping[str, Any], list[tuple[str, Any]]]:
    """Return what was shown to people, and (name, answer) for each answer."""
    if isinstance(record.get("data"), dict) and isinstance(record.get("annotations"), list):
        return record["data"], [*_label_studio_answers(record["annotations"])]
    if isinstance(record.get("fields"), dict):
        return record["fields"], [*_argilla_answers(record.get("responses"))]
    answers: list[tuple[str, Any]] = []
    has_word = _first_text({str(key).lower(): value for key, value in record.items()}, WORD) is not None
    for key, value in record.items():
        name = str(key).strip().lower()
        if name.endswith(".responses") and isinstance(value, list):  # Argilla's `to_datasets`
            answers += [(name.removesuffix(".responses"), one) for one in value]
        elif not has_word or name in LABELS:
            answers.append((name, value))
    if (up := _amount(record.get("up"))) is not None and (down := _amount(record.get("down"))) is not None:
        answers.append(("label", up > down))  # this project's own export
    return record, answers


def _label_studio_answers(annotations: list[Any]) -> Iterator[tuple[str, Any]]:
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        for result in annotation.get("result") or []:
            value = result.get("value") if isinstance(result, dict) else None
            if not isinstance(value, dict):
                continue
            name = str(result.get("from_name"))
            for kind in ("choices", "text"):
                if kind in value:
                    yield name, value[kind]
            if isinstance(value.get("ranker"), dict):  # buckets of words
                yield from value["ranker"].items()


def _argilla_answers(responses: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(responses, dict):  # from 2.0 on: by question
        for name, given in responses.items():
            for one in given if isinstance(given, list) else []:
                if isinstance(one, dict) and one.get("status") not in IGNORED_STATUS:
                    yield name, one.get("value")
    elif isinstance(responses, list):  # before: by person
        for one in responses:
            if isinstance(one, dict) and one.get("status") not in IGNORED_STATUS:
                for name, answer in (one.get("values") or {}).items():
                    yield name, answer.get("value") if isinstance(answer, dict) else answer


def _judged(name: str, value: Any, word: str | None) -> Iterator[tuple[str, bool]]:
    """Yield the words that an answer judges, and whether it wants them."""
    ranked = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    if ranked:
        places = {str(one.get("value")): rank for one in ranked if (rank := _number(one.get("rank")))}
        if places and (last := max(places.values())) > (first := min(places.values())):
            yield from ((one, place == first) for one, place in places.items() if place in (first, last))
    elif name in WANTED | UNWANTED and word is None:
        yield from ((one, name in WANTED) for one in _words(value))
    elif word is not None:
        said = {str(one).strip().lower() for one in (value if isinstance(value, list) else [value])}
        is_wanted, is_unwanted = bool(said & WANTED), bool(said & UNWANTED)
        if is_wanted != is_unwanted:
            yield word, is_wanted


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [word for one in value for word in _words(one)]
    if isinstance(value, dict):  # several choices in Label Studio's short export
        return _words(value.get("choices"))
    return (
        [word for part in SEPARATOR.split(value) if (word := part.strip())] if isinstance(value, str) else []
    )


def _first_text(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next(
        (value for name in names if isinstance(value := fields.get(name), str) and value.strip()), None
    )


def _number(value: Any) -> int | None:
    found = re.fullmatch(r"\d{1,3}", str(value))
    return int(found[0]) if found else None


def _amount(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
