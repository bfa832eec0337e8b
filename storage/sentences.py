"""Translatable sentences: English text that keeps its template and values.

As in gettext, the English template is the key of the translations; the key of an error is its class. Logs and
the command line show the English text.
"""

import inspect
import string
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self


class Sentence(str):
    """English text with its template and values. Values may be sentences, errors, or lists of them."""

    key: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Self:
        """Fill in the template."""
        return cls.of(ENGLISH.fill(template, values), template, values)

    @classmethod
    def of(cls, text: str, key: str, values: Mapping[str, Any]) -> Self:
        """Make a sentence whose English text is known already."""
        sentence = super().__new__(cls, text)
        sentence.key, sentence.values = key, values
        return sentence

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).of, (str(self), self.key, self.values)


class TranslatableError(Exception):
    """An error whose class is the key of its translations, and whose arguments are the values."""

    _given: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Keep the arguments for `sentence`."""
        error = super().__new__(cls, *args, **kwargs)
        error._given = args, kwargs
        return error

    @property
    def sentence(self) -> Sentence:
        """The English text, with the key and the values of its translations."""
        if self.args and isinstance(self.args[0], Sentence):
            return self.args[0]
        args, kwargs = self._given
        given = inspect.signature(type(self).__init__).bind(self, *args, **kwargs)
        given.apply_defaults()
        values = {**given.arguments, **vars(self)}
        del values["self"], values["_given"]
        return Sentence.of(str(self), type(self).__name__, values)


@dataclass(frozen=True, slots=True)
class Language(string.Formatter):
    """Fills in texts, and translates sentences into one language.

    Attributes:
        sentences: English template or class of an error → text.
        signs: Separators and percent sign of a formatted number, by the English ones (`,`, `.`, `%`).
    """

    sentences: Mapping[str, Any] = field(default_factory=dict)
    signs: Mapping[str, str] = field(default_factory=dict)

    def say(self, what: object) -> str:
        """Say a sentence or an error; in English if it has no translation."""
        if isinstance(what, TranslatableError):
            what = what.sentence
        if isinstance(what, Sentence):
            # The values of a template without a translation may still have theirs. Classes have no braces.
            text = self.sentences.get(what.key, what.key if "{" in what.key else None)
            if text is not None:
                with suppress(LookupError, ValueError):  # stored by another version, with other values
                    return self.fill(text, what.values)
        return str(what)

    def fill(self, text: str | Mapping[str, Any], values: Mapping[str, Any]) -> str:
        """Fill in the values of a text.

        A mapping with `one` and `other` is a plural, chosen by the value `n`. A mapping with `text` also maps
        some placeholders from their values to wordings; `none` stands for an empty value, `other` for all
        values that are not listed. Numbers with a format, such as `{n:,}`, get the language's separators. The
        format of a list is the separator of its items.

        Raises:
            KeyError: A value is missing.
        """
        if isinstance(text, Mapping) and "text" in text:
            choices = {name: choice for name, choice in text.items() if name != "text"}
            chosen = {name: self.fill(_chosen(of, values[name]), values) for name, of in choices.items()}
            return self.fill(text["text"], {**values, **chosen})
        if isinstance(text, Mapping):
            text = text["one" if values["n"] == 1 else "other"]
        return self.vformat(str(text), (), values)

    def number(self, value: float, spec: str) -> str:
        """Format a number with the signs of the language."""
        return format(value, spec).translate({ord(sign): own for sign, own in self.signs.items()})

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format one value of a text."""
        if isinstance(value, list | tuple):
            return (format_spec or ", ").join(map(self.say, value))
        if format_spec and isinstance(value, int | float):
            return self.number(value, format_spec)
        return self.say(value) if not format_spec else format(value, format_spec)


ENGLISH = Language()


def to_json(what: object) -> Any:
    """Convert a sentence, an error or a value of one to JSON; `from_json` reads it."""
    if isinstance(what, TranslatableError):
        what = what.sentence
    if isinstance(what, Sentence):
        values = {name: to_json(value) for name, value in what.values.items()}
        return {"text": str(what), "key": what.key, "values": values}
    if isinstance(what, list | tuple):
        return [to_json(one) for one in what]
    return what if what is None or isinstance(what, str | int | float) else str(what)


def from_json(what: Any) -> Any:
    """Read what `to_json` returned; without a key, return only the text."""
    if isinstance(what, list):
        return [from_json(one) for one in what]
    if not isinstance(what, Mapping):
        return what
    if not isinstance(what.get("key"), str):
        return str(what.get("text", ""))
    values = {name: from_json(value) for name, value in what.get("values", {}).items()}
    return Sentence.of(str(what.get("text", "")), what["key"], values)


def sentence_in(line: Mapping[str, Any]) -> str:
    """Return the sentence of a JSON object from a subprocess: `said` if it has that, or else `sentence`."""
    said = from_json(line.get("said"))
    return said if isinstance(said, str) else str(line.get("sentence", ""))


def _chosen(choices: Mapping[str, Any], value: object) -> Any:
    name = "none" if value is None or value in ("", [], ()) else str(value).lower()
    return choices[name if name in choices else "other"]
