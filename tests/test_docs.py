"""What documents and docstrings name exists: commands, options, settings, targets, files, links, modules."""

import argparse
import ast
import re
from functools import cache
from pathlib import Path

import discord
import pytest

import storage.__main__
from bot.operations.checks.discord_checks import NEEDED
from bot.operations.metrics import Metrics
from bot.settings import Settings
from bot.texts import DEFAULT, texts_of
from training.__main__ import command_line
from training.evaluation.gate import CRITERIA

PROJECT = Path(__file__).parents[1]
AT_THE_TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
DOCS = {
    path.relative_to(PROJECT).as_posix(): path
    for path in (*(PROJECT / name for name in AT_THE_TOP), *sorted(PROJECT.glob("docs/*.md")))
}
SETTINGS = {field.alias or f"FILLBOT_{name.upper()}" for name, field in Settings.model_fields.items()}
NOT_SETTINGS = {"FILLBOT_"}
PACKAGES = ("bot", "training", "storage")
ROOTS = (*PACKAGES, "tests", "docs", "deploy")
PATH = re.compile(rf"(?<![\w./-])((?:{'|'.join(ROOTS)})/[\w./-]*\w|(?:{'|'.join(ROOTS)})/)")
DOTTED = re.compile(rf"(?<![\w./-])((?:{'|'.join(PACKAGES)})(?:\.(?!(?:lock|log|md)\b)[A-Za-z_]\w*)+)")
SOURCES = sorted(path for root in (*PACKAGES, "tests") for path in (PROJECT / root).rglob("*.py"))
MAX_README_LINES = 150


@cache
def said(name: str) -> str:
    return DOCS[name].read_text(encoding="utf-8")


def found(pattern: str | re.Pattern[str]) -> list[tuple[str, str]]:
    """Every match of a pattern's group, with the document it stands in."""
    return sorted({(name, match) for name in DOCS for match in re.findall(pattern, said(name))})


@cache
def prose(path: Path) -> str:
    """Docstrings and comments of a source file."""
    source = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    comments = re.findall(r"(?:^|\s)#\s.*", source)  # a tokenizer takes twenty times as long
    return "\n".join([*comments, *(ast.get_docstring(node) or "" for node in nodes)])


@cache
def names_in(module: Path) -> frozenset[str]:
    """Every name that a module defines or uses, in its classes too."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    defined = {
        node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return frozenset(defined | {node.id for node in nodes if isinstance(node, ast.Name)})


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module or a package of ours, or a name in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        folder = PROJECT.joinpath(*parts[:length])
        for module in (folder.with_suffix(".py"), folder / "__init__.py"):
            if module.exists():
                return set(parts[length:]) <= names_in(module)
    return False


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


@pytest.mark.parametrize(("name", "target"), found(r"(?:`|\n *|&& |sudo )make ([a-z][a-z-]+)"))
def test_make_targets_exist(name: str, target: str) -> None:
    assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "path"), found(PATH))
def test_files_exist(name: str, path: str) -> None:
    assert (PROJECT / path).exists()


def test_files_named_in_docstrings_and_comments_exist() -> None:
    named = {(source, path) for source in SOURCES for path in PATH.findall(prose(source))}
    assert len(named) > 20
    assert [(str(source), path) for source, path in sorted(named) if not (PROJECT / path).exists()] == []


def test_modules_named_in_docstrings_comments_and_documents_exist() -> None:
    named = {(str(source), dotted) for source in SOURCES for dotted in DOTTED.findall(prose(source))}
    named.update(found(DOTTED))
    assert len(named) > 10
    assert [(where, dotted) for where, dotted in sorted(named) if not resolves(dotted)] == []


@pytest.mark.parametrize("dotted", ["training.nowhere", "bot.app.nothing", "storage.votes.nowhere.Vote"])
def test_a_module_that_is_not_there_is_noticed(dotted: str) -> None:
    assert not resolves(dotted)


@pytest.mark.parametrize(("name", "link"), found(r"\]\((?!https?:)([^)#]+)"))
def test_links_lead_somewhere(name: str, link: str) -> None:
    assert (DOCS[name].parent / link).exists()


def test_every_document_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", said("README.md")))
    assert {name for name in DOCS if name != "README.md"} <= linked


def test_the_readme_is_short() -> None:
    assert len(said("README.md").splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize(("name", "line"), found(r"python -m storage ([a-z][^\n`]*)"))
def test_the_databases_commands_exist(name: str, line: str) -> None:
    named = {line.split()[0], *re.findall(r" \| ([a-z]+)", line.split("#")[0])}
    assert named <= set(subparsers(storage.__main__.command_line()))


def test_every_command_of_the_chat_is_in_the_readme() -> None:
    rows = re.findall(r"^\| (`![^|]*(?:\\\|[^|]*)*)\|", said("README.md"), re.MULTILINE)
    listed = {command for row in rows for command in re.findall(r"`!(\w+)", row)}
    assert listed == {name for name in texts_of(DEFAULT)["commands"] if "_" not in name}


def test_the_invitation_asks_for_what_the_check_looks_at() -> None:
    (asked,) = re.findall(r"permissions=(\d+)", said("README.md"))
    assert int(asked) == discord.Permissions(**dict.fromkeys(NEEDED, True)).value


def test_the_docs_list_the_criteria_of_the_gate() -> None:
    section = said("docs/learning.md").split("| test | measured | limit |")[1].split("\n\n")[0]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in section.splitlines()[2:]]
    assert rows == [(each.name, each.description, f"{each.limit:g}") for each in CRITERIA]


def test_the_docs_list_all_metrics() -> None:
    families = [family for family in Metrics().registry.collect() if family.name.startswith("fillbot_")]
    ends = {"counter": "_total", "info": "_info"}
    probes = (PROJECT / "bot/operations/probes.py").read_text("utf-8")
    gauges = re.findall(r'add_gauge\(\s*"(\w+)"', probes)
    known = {family.name + ends.get(family.type, "") for family in families} | {
        f"fillbot_{n}" for n in gauges
    }
    section = said("docs/operations.md").split("| metric | meaning |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(fillbot_\w+)", section)) == known


BRANCH = re.compile(r"^([│ ]*)([├└]── )?(\w+Error)\b")


def drawn_tree(docstring: str) -> dict[str, str | None]:
    """Class → base, as in the tree of an errors module; None at a root."""
    path: list[str] = []
    bases: dict[str, str | None] = {}
    for indent, branch, name in (
        found.groups() for found in map(BRANCH.match, docstring.splitlines()) if found
    ):
        path[len(indent) // 4 + bool(branch) :] = [name]
        bases[name] = path[-2] if branch else None
    return bases


def test_the_trees_of_errors_are_those_of_the_code() -> None:
    modules = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES if path.name == "errors.py"}
    errors = {
        path: {
            node.name: ast.unparse(node.bases[0])
            for node in module.body
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
        }
        for path, module in modules.items()
    }
    bases = {name: base for known in errors.values() for name, base in known.items()}
    drawn = {path: drawn_tree(ast.get_docstring(module) or "") for path, module in modules.items()}
    assert sum(map(len, drawn.values())) > 50
    assert [name for path, tree in drawn.items() if tree for name in errors[path].keys() - tree] == []
    trees = [(name, base) for tree in drawn.values() for name, base in tree.items() if base is not None]
    assert trees == [(name, bases.get(name)) for name, _ in trees]


def test_there_is_something_to_look_at() -> None:
    assert len(found(PATH)) > 50
    assert len(found(r"python -m training ([a-z][^\n`]*)")) > 5
    assert len(found(r"\b(FILLBOT_[A-Z_]+)\b")) > 5
