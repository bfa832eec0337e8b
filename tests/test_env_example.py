"""`.env.example` lists every setting with its default and what it is for; run this file to write it anew."""

import re
import textwrap
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from bot.settings import Settings

EXAMPLE = Path(__file__).parents[1] / ".env.example"
HEADER = """\
# Every setting with its default. Copy this file to .env, and uncomment what you change.
# A variable of the environment goes before .env. The bot and `python -m training` read the same.
"""


def environment_name(name: str, field: FieldInfo) -> str:
    return field.alias or f"FILLBOT_{name.upper()}"


def written(default: Any) -> str:
    """A default as one writes it in the environment."""
    if default is None or default == ():
        return ""
    return f"{default:%H:%M}" if isinstance(default, time) else str(default)


def expected() -> dict[str, tuple[str, str]]:
    """Name → default and description; first of all what everybody sets."""
    fields = sorted(Settings.model_fields.items(), key=lambda item: item[0] != "discord_token")
    return {
        environment_name(name, field): (written(field.default), field.description or "")
        for name, field in fields
    }


def rendered() -> str:
    entries = []
    for name, (default, description) in expected().items():
        comment = textwrap.fill(description, 100, initial_indent="# ", subsequent_indent="# ")
        entries.append(f"{comment}\n#{name}={default}\n")
    return "\n".join([HEADER, *entries])


def listed() -> dict[str, tuple[str, str]]:
    """What the file says: name → default and description."""
    found = {}
    for entry in EXAMPLE.read_text(encoding="utf-8").split("\n\n")[1:]:
        *comment, setting = entry.strip().splitlines()
        name, default = setting.removeprefix("#").split("=", 1)
        found[name] = (default, " ".join(line.removeprefix("# ") for line in comment))
    return found


def test_every_setting_is_listed_with_its_default_and_description() -> None:
    assert {name: entry for name, entry in listed().items() if name in expected()} == expected()


def test_nothing_else_is_listed() -> None:
    assert set(listed()) == set(expected())


def test_every_setting_has_a_description() -> None:
    assert [name for name, (_, description) in expected().items() if len(description) < 10] == []


def test_every_default_can_be_written_as_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of a developer
    for name, (default, _) in listed().items():
        monkeypatch.setenv(name, default)
    values = Settings().model_dump()
    assert values == {name: field.default for name, field in Settings.model_fields.items()}


def test_only_settings_look_like_settings() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.MULTILINE)) == set(expected())


if __name__ == "__main__":
    EXAMPLE.write_text(rendered(), encoding="utf-8")
