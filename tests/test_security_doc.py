"""`docs/security.md` names tests: they exist, and it stays a page."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


def test_it_is_one_page() -> None:
    assert len(TEXT.splitlines()) <= 80
    assert len(NAMED) > 15
    assert TEXT.count("`tests/") == len(re.findall(r"`tests/[\w/]+\.py(?:::\w+)?`", TEXT))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_it_names_exists(file: str, test: str) -> None:
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert any(name.startswith("test_") for name in tests)
    assert not test or test in tests


def test_every_row_names_one() -> None:
    rows = [
        line
        for line in TEXT.splitlines()
        if line.startswith("| ") and not line.startswith("| attacker | goal")
    ]
    assert [row for row in rows if "`tests/" not in row] == []
