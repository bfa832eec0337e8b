"""Tables with any word."""

from fuzz.hostile import words
from fuzz.more_targets import NOON
from fuzz.targets import target

from bot.features.export import to_csv


@target("exported words", checked="a word is one cell of the table", inputs=25_000, word=words)
def exported(word: str) -> None:
    csv = to_csv([(word.encode(errors="replace").decode(), 0, "a", 1.0, 0.0, 1, NOON)])
    assert csv.count(b"\r\n") >= 2
