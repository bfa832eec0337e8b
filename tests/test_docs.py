"""What the documents say exists: commands, options, settings, targets, files, links."""

import argparse
import re
from functools import cache
from pathlib import Path

import discord
import pytest
import yaml

import storage.__main__
from bot.operations.checks.discord_checks import NEEDED
from bot.settings import Settings
from bot.texts import FILE
from training.__main__ import command_line
from training.evaluation.gate import CRITERIA

PROJECT = Path(__file__).parents[1]
DOCS = {
    path.relative_to(PROJECT).as_posix(): path for path in (PROJECT / "README.md", *PROJECT.glob("docs/*.md"))
}
SETTINGS = {field.alias or f"FILLBOT_{name.upper()}" for name, field in Settings.model_fields.items()}
NOT_SETTINGS = {"FILLBOT_"}
ROOTS = ("bot", "training", "storage", "tests", "docs", "deploy")


@cache
def said(name: str) -> str:
    return DOCS[name].read_text(encoding="utf-8")


def found(pattern: str) -> list[tuple[str, str]]:
    """Every match of a pattern's group, with the document it stands in."""
    return sorted({(name, match) for name in DOCS for match in re.findall(pattern, said(name))})


def subparsers(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def options(of: argparse.ArgumentParser) -> set[str]:
    """Every long option of a command and its subcommands."""
    own = {option for action in of._actions for option in action.option_strings}
    return own.union(*(options(sub) for sub in subparsers(of).values()))


@pytest.mark.parametrize(("name", "line"), found(r"python -m training ([a-z][^\n`]*)"))
def test_shell_commands_exist_with_their_options(name: str, line: str) -> None:
    line = line.split("#")[0]
    commands = subparsers(command_line())
    first = line.split()[0]
    # `versions | promote VERSION | rollback` on one line are three commands.
    named = [first, *re.findall(r" \| ([a-z]+)", line)]
    if first != "plot":
        assert set(named) <= set(commands)
    assert set(re.findall(r"--[a-z][a-z-]+", line)) <= options(commands[first])


@pytest.mark.parametrize(("name", "setting"), found(r"\b(FILLBOT_[A-Z_]+|DISCORD_TOKEN)\b"))
def test_settings_exist(name: str, setting: str) -> None:
    assert setting in SETTINGS | NOT_SETTINGS


@pytest.mark.parametrize(("name", "target"), found(r"\bmake ([a-z][a-z-]+)[`\s]"))
def test_make_targets_exist(name: str, target: str) -> None:
    assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "path"), found(rf"`((?:{'|'.join(ROOTS)})/[\w./-]*)`"))
def test_files_exist(name: str, path: str) -> None:
    assert (PROJECT / path).exists()


@pytest.mark.parametrize(("name", "link"), found(r"\]\((?!https?:)([^)#]+)"))
def test_links_lead_somewhere(name: str, link: str) -> None:
    assert (DOCS[name].parent / link).exists()


@pytest.mark.parametrize(("name", "line"), found(r"python -m storage ([a-z][^\n`]*)"))
def test_the_databases_commands_exist(name: str, line: str) -> None:
    named = {line.split()[0], *re.findall(r" \| ([a-z]+)", line.split("#")[0])}
    assert named <= set(subparsers(storage.__main__.command_line()))


def test_every_command_of_the_chat_is_in_the_readme() -> None:
    rows = re.findall(r"^\| (`![^|]*(?:\\\|[^|]*)*)\|", said("README.md"), re.MULTILINE)
    listed = {command for row in rows for command in re.findall(r"`!(\w+)", row)}
    texts = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert listed == {name for name in texts["commands"] if "_" not in name}


def test_the_invitation_asks_for_what_the_check_looks_at() -> None:
    (asked,) = re.findall(r"permissions=(\d+)", said("README.md"))
    assert int(asked) == discord.Permissions(**dict.fromkeys(NEEDED, True)).value


def test_the_docs_list_the_criteria_of_the_gate() -> None:
    section = said("docs/learning.md").split("| test | measured | limit |")[1].split("\n\n")[0]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in section.splitlines()[2:]]
    assert rows == [(each.name, each.description, f"{each.limit:g}") for each in CRITERIA]


def test_there_is_something_to_look_at() -> None:
    assert len(found(r"python -m training ([a-z][^\n`]*)")) > 5
    assert len(found(r"\b(FILLBOT_[A-Z_]+)\b")) > 5
