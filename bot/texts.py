"""Everything that the bot says: `texts.yaml`, by dotted key. A translation is that one file."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from storage.text_files import read_text

try:
    from yaml import CSafeLoader as Loader  # eight times as fast, at every start
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

FILE = Path(__file__).with_name("texts.yaml")


def say(key: str, /, **values: object) -> str:
    """The text of a key such as `run.failed`, with the values filled in; of `one` and `other` by `n`.

    Raises:
        KeyError: there is no such text, or it wants a value that was not given.
    """
    entry: Any = _texts()
    for part in key.split("."):
        entry = entry[part]
    if isinstance(entry, dict):
        entry = entry["one" if values["n"] == 1 else "other"]
    return str(entry).format_map(values)


@cache
def _texts() -> dict[str, Any]:
    texts: dict[str, Any] = yaml.load(read_text(FILE), Loader=Loader)
    return texts
