"""Who may import whom (ARCHITECTURE.md), read from the sources and checked in a process."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGES = ("bot", "training", "storage")
MODULES = {
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((PROJECT / package).rglob("*.py"))
}
FROM_TRAINING_TO_BOT = {
    f"training.{name}"
    for name in (
        "errors",
        "settings",
        "locations",
        "subprocess_environment",
        "distributed.serving.protocol",
        "distributed.shared_versions.errors",
        "inference.batching",
        "inference.champion_follower",
        "inference.errors",
        "inference.fill_model",
        "inference.joint_filling",
        "inference.loading",
        "inference.session",
        "models.base_model",
        "models.encoder",
        "models.vocabulary",
        "pipeline.run_files",
        "registry.card",
        "registry.factory",
        "registry.promotion",
        "registry.repair",
        "registry.versions",
        "votes.aggregation",
    )
}
HEAVY = {"torch", "transformers", "datasets"}
LIGHT_IN_TRAINING = {
    "training",
    *FROM_TRAINING_TO_BOT,
    *(f"training.{name}" for name in ("evaluation.gate", "evaluation.metrics", "votes.retraining_set")),
}


def names_of(node: ast.Import | ast.ImportFrom) -> set[str]:
    """What a statement imports: `from a import b` is `a` and, where that is a module of ours, `a.b`."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    assert node.level == 0, "relative import"
    assert node.module is not None
    inside = {f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)
    # Importing modules out of a package is importing those, not what the package's own file has.
    return inside if len(inside) == len(node.names) else {node.module, *inside}


@cache
def imports(module: str) -> frozenset[str]:
    """Everything that a module imports anywhere, for type checkers too."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return frozenset(name for node in nodes for name in names_of(node))


@cache
def imports_at_once(module: str) -> frozenset[str]:
    """What is imported when the module is: not inside functions, nor for type checkers."""

    def walk(nodes: list[ast.stmt]) -> set[str]:
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= names_of(node)
            elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                found |= walk(node.orelse)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for part in ("body", "orelse", "finalbody"):
                    found |= walk(getattr(node, part, []))
                for handler in getattr(node, "handlers", []):
                    found |= walk(handler.body)
        return found

    return frozenset(walk(ast.parse(MODULES[module].read_text(encoding="utf-8")).body))


def reached_from(module: str) -> set[str]:
    """Every module that importing this one imports by way of ours, packages on the way included."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        chain = [".".join(parts[: i + 1]) for i in range(len(parts))]
        for each in chain:
            if each not in reached:
                reached.add(each)
                if each in MODULES:
                    waiting += imports_at_once(each)
    return reached


def of_package(package: str) -> list[str]:
    return [name for name in MODULES if name.split(".")[0] == package]


def ours(names: frozenset[str], package: str) -> set[str]:
    return {name for name in names if name.split(".")[0] == package}


def test_there_is_something_to_look_at() -> None:
    assert all(len(of_package(package)) >= 5 for package in PACKAGES)
    assert "torch" in imports("training.models.torch_model")
    assert "torch" in reached_from("training.models.starter")


@pytest.mark.parametrize("module", of_package("storage"))
def test_storage_knows_nobody(module: str) -> None:
    assert not ours(imports(module), "bot") | ours(imports(module), "training")


@pytest.mark.parametrize("module", of_package("training"))
def test_training_does_not_know_the_bot(module: str) -> None:
    assert not ours(imports(module), "bot")


@pytest.mark.parametrize("module", of_package("bot"))
def test_the_bot_takes_only_light_parts_of_training(module: str) -> None:
    assert ours(imports(module), "training") <= FROM_TRAINING_TO_BOT


def test_a_picture_is_drawn_without_torch_and_the_database() -> None:
    """It is a process of its own each time: what it need not import, people need not wait for."""
    parts = (
        "__main__",
        *(f"reports.plots.{name}" for name in ("words", "run_report", "vote_stats", "training_log")),
    )
    reached = set().union(*(reached_from(f"training.{part}") for part in parts))
    assert not {name.split(".")[0] for name in reached} & {*HEAVY, "sqlalchemy", "alembic"}


def test_uptrain_is_imported_in_one_file() -> None:
    users = [m for m in MODULES if any(name.split(".")[0] == "uptrain" for name in imports(m))]
    assert users == ["training.votes.checks.framework"]


@pytest.mark.parametrize("module", [*of_package("bot"), *of_package("storage"), *sorted(LIGHT_IN_TRAINING)])
def test_serving_and_judging_come_without_torch(module: str) -> None:
    assert not {name.split(".")[0] for name in reached_from(module)} & HEAVY


def test_the_bot_starts_without_what_is_heavy() -> None:
    modules = [name for name in of_package("bot") if not name.endswith("__main__")]
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "heavy = {'torch', 'transformers', 'datasets', 'uptrain', 'polars', 'matplotlib'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, check=False, capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stderr
