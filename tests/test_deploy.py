"""What is deployed parses, lints and fits the code; what docs/operations.md tells people to type exists."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from bot.__main__ import command_line as bot_parser
from bot.operations.metrics import Metrics
from bot.settings import Settings
from storage.__main__ import command_line as storage_parser
from training.__main__ import command_line as training_parser

PROJECT = Path(__file__).parents[1]
COMPOSE = (PROJECT / "compose.yaml").read_text(encoding="utf-8")
DEPLOY, GUIDE = PROJECT / "deploy", (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
PARSERS = {"bot": bot_parser, "storage": storage_parser, "training": training_parser}


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "fillbot.service"
    text = (DEPLOY / "fillbot.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/fillbot/.venv/bin/python", sys.executable))
    process = subprocess.run(
        [program, "verify", "--man=no", str(unit)], check=False, capture_output=True, text=True, timeout=60
    )
    assert (process.returncode, process.stderr) == (0, "")


def test_the_unit_starts_again_unless_a_setting_must_be_changed() -> None:
    lines = (DEPLOY / "fillbot.service").read_text(encoding="utf-8").splitlines()
    assert "Restart=on-failure" in lines
    assert "RestartPreventExitStatus=78" in lines
    assert "ExecStart=/opt/fillbot/.venv/bin/python -m bot" in lines


def test_the_dockerfile_lints() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not here")
    process = subprocess.run(
        [program, str(DEPLOY / "Dockerfile")], check=False, capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0, process.stdout


def test_the_image_takes_what_it_copies_and_nothing_secret() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    first, *rest = [
        line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert first == "*"
    assert {line.removeprefix("!") for line in rest if line.startswith("!")} == names
    assert all((PROJECT / name).exists() for name in names)


def test_compose_builds_the_image_and_keeps_its_volume() -> None:
    service = yaml.safe_load(COMPOSE)["services"]["bot"]
    dockerfile = (PROJECT / service["build"]["dockerfile"]).read_text(encoding="utf-8")
    assert set(service["build"]["args"]) == set(re.findall(r"^ARG (\w+)=", dockerfile, re.MULTILINE))
    (volume,) = re.findall(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE)
    assert service["volumes"] == [f"fillbot:{volume}"]


def test_compose_starts_postgres_with_its_profile_alone() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    assert {name: one.get("profiles") for name, one in services.items()} == {
        "bot": None,
        "postgres": ["postgres"],
    }
    assert services["bot"]["depends_on"]["postgres"]["required"] is False


def test_scripts_of_the_package_can_be_called() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for target in project["scripts"].values():
        module, _, function = target.partition(":")
        assert callable(getattr(import_module(module), function))


def commands() -> list[str]:
    """Every `python -m …` of the guide, also by the shell function that it defines."""
    found = re.findall(r"(?:python -m|fillbot) ((?:bot|storage|training)(?: [a-z]+)?(?: FILE)?)", GUIDE)
    return sorted(set(found))


@pytest.mark.parametrize("typed", commands())
def test_the_commands_of_the_guide_exist(typed: str) -> None:
    module, *arguments = shlex.split(typed)
    parser = PARSERS[module]()
    if arguments or module == "bot":
        parser.parse_args(arguments)


def test_the_settings_of_what_is_deployed_exist() -> None:
    known = {field.alias or f"FILLBOT_{name.upper()}" for name, field in Settings.model_fields.items()}
    texts = [COMPOSE, *(path.read_text(encoding="utf-8") for path in DEPLOY.iterdir())]
    assert {name for text in texts for name in re.findall(r"\bFILLBOT_[A-Z_]+\b", text)} <= known


def test_the_metrics_of_the_guide_exist() -> None:
    text = (PROJECT / "bot" / "operations" / "probes.py").read_text(encoding="utf-8")
    gauges = {f"fillbot_{name}" for name in re.findall(r'add_gauge\(\s*"(\w+)"', text)}
    counted = {sample.name for metric in Metrics().registry.collect() for sample in metric.samples}
    families = {name for one in Metrics().registry.collect() for name in (one.name, f"{one.name}_total")}
    named = set(re.findall(r"\bfillbot_[a-z_]+", GUIDE))
    assert named <= gauges | counted | families | {"fillbot_model_info"}


def test_the_alert_rules_are_yaml() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    (group,) = yaml.safe_load(block)["groups"]
    assert [set(rule) >= {"alert", "expr"} for rule in group["rules"]] == [True, True]
