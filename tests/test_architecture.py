"""Who may import whom (ARCHITECTURE.md), read from the sources and checked in a process."""

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from bot.features import FEATURES

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
        "corpus.generator",
        "corpus.language",
        "corpus.lexicon",
        "distributed.serving.protocol",
        "evaluation.guarded_suites",
        "inference.batching",
        "inference.encoder",
        "inference.champion_follower",
        "inference.errors",
        "inference.fill_model",
        "inference.joint_filling",
        "inference.loading",
        "inference.session",
        "inference.vocabulary",
        "models.base_model",
        "pipeline.run_files",
        "registry.card",
        "registry.errors",
        "registry.factory",
        "registry.promotion",
        "registry.repair",
        "registry.sharing",
        "registry.versions",
        "votes.aggregation",
    )
}
# From the lowest: a package of `training` imports only those above it in this list, and none in its own row.
LAYERS = (
    ("corpus", "registry"),
    ("votes", "inference"),
    ("evaluation",),
    ("models", "reports"),
    ("finetuning",),
    ("domain",),
    ("pipeline",),
    ("simulation",),
    ("cli", "distributed"),
)
# Where a setting decides whether scale-out comes in: one place a seam, which imports it when it is called.
SEAMS = {
    ("training.registry.factory", "training.distributed"),
    ("training.pipeline.nightly", "training.distributed"),
    ("training.cli.runs", "training.distributed"),
}
MAX_MODULES = 14  # a folder
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
    assert "torch" in reached_from("training.domain.starter")


def package_of(module: str) -> str:
    """`training.votes.checks.report` → `votes`; of a module that lies in `training` itself, an empty name."""
    parts = module.split(".")
    is_package = len(parts) > 2 or (len(parts) == 2 and MODULES[module].name == "__init__.py")
    return parts[1] if is_package else ""


@pytest.mark.parametrize("module", of_package("training"))
def test_a_package_of_training_imports_only_lower_ones(module: str) -> None:
    if not (package := package_of(module)):
        return  # the command line, or something that every package may use
    row = next(number for number, names in enumerate(LAYERS) if package in names)
    lower = {"", package}.union(*LAYERS[:row])
    for name in ours(imports(module), "training") & set(MODULES):
        is_seam = (module, f"training.{package_of(name)}") in SEAMS
        assert package_of(name) in lower or is_seam, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("bot.sandbox")])
def test_the_sandbox_knows_nothing_of_the_bot(module: str) -> None:
    assert all(name.startswith("bot.sandbox") for name in ours(imports(module), "bot"))
    assert not ours(imports(module), "training") | ours(imports(module), "storage")


def test_the_sandbox_is_imported_in_one_place() -> None:
    outside = [name for name in of_package("bot") if not name.startswith("bot.sandbox")]
    users = [m for m in outside if any(name.startswith("bot.sandbox") for name in imports(m))]
    assert users == ["bot.connection.endpoint"]


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("bot.embeds")])
def test_embeds_are_made_without_the_database(module: str) -> None:
    assert not any(name.startswith(("sqlalchemy", "storage.database")) for name in imports(module))


def feature_of(module: str) -> str:
    """The feature that a module belongs to; of any other module, an empty name."""
    return module.removeprefix("bot.features.").split(".")[0] if module.startswith("bot.features.") else ""


@pytest.mark.parametrize("module", of_package("bot"))
def test_a_feature_is_imported_only_by_itself(module: str) -> None:
    """So that it can be deleted: the core imports the list of features alone, and in one place."""
    used = {name for name in ours(imports(module), "bot") if name.startswith("bot.features")}
    if feature_of(module):
        assert {feature_of(name) for name in used} <= {feature_of(module)}
    else:
        assert used <= ({"bot.features"} if module == "bot.app" else set())


@pytest.mark.parametrize("feature", FEATURES)
def test_the_sql_of_a_feature_is_used_by_it_alone(feature: str) -> None:
    users = {module for module in MODULES if f"storage.votes.{feature}" in imports(module)}
    assert {feature_of(module) for module in users} <= {feature}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions and for type checkers count: they hide a cycle, and do not remove it."""
    graph = {module: sorted(imports(module) & set(MODULES) - {module}) for module in MODULES}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_no_folder_is_a_heap() -> None:
    folders = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    del folders[PROJECT / "storage/migrations/versions"]  # one for each change of the schema
    assert {str(folder): many for folder, many in folders.items() if many > MAX_MODULES} == {}


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
