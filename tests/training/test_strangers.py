"""Models, cards and checkpoints of strangers: nothing in them is run, nothing outside of them is touched."""

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file
from support.versions import write

from training.domain.checkpoints import Checkpoint
from training.errors import BaseModelError, CorruptVersionError, TrainingError
from training.inference.fill_model import FillModel
from training.models import torch_model
from training.registry.versions import Registry

PROJECT = Path(__file__).parents[2]


class Trap:
    """What runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that is there once code of a stranger's ran."""
    return tmp_path / "ran"


@pytest.fixture
def base(distilbert_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(distilbert_folder, tmp_path / "base"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def only_pickled(base: Path, marker: Path) -> None:
    (base / "model.safetensors").unlink()
    torch.save(Trap(marker), base / "pytorch_model.bin")


def pickled_beside_a_decoy(base: Path, marker: Path) -> None:
    only_pickled(base, marker)
    (base / "decoy.safetensors").write_bytes(b"")


def pickled_part_of_an_index(base: Path, marker: Path) -> None:
    weights = dict.fromkeys(load_file(base / "model.safetensors"), "part.bin")
    (base / "model.safetensors").rename(base / "decoy.safetensors")
    torch.save(Trap(marker), base / "part.bin")
    index = {"metadata": {"total_size": 1}, "weight_map": weights}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))


def pickle_called_safetensors(base: Path, marker: Path) -> None:
    torch.save(Trap(marker), base / "model.safetensors")


def own_modeling(base: Path, marker: Path) -> None:
    (base / "modeling.py").write_text(f"open({str(marker)!r}, 'w')\n")
    places = {"AutoConfig": "modeling.Config", "AutoModelForMaskedLM": "modeling.Model"}
    change(base / "config.json", model_type="own", auto_map=places)


def own_tokenizer(base: Path, marker: Path) -> None:
    (base / "tokenizing.py").write_text(f"open({str(marker)!r}, 'w')\n")
    places = {"AutoTokenizer": [None, "tokenizing.Own"]}
    change(base / "tokenizer_config.json", tokenizer_class="Own", auto_map=places)
    change(base / "config.json", model_type="own")


def own_kernel(base: Path, marker: Path) -> None:
    (base / "kernel.py").write_text(f"open({str(marker)!r}, 'w')\n")
    change(base / "config.json", attn_implementation=f"stranger/{base.name}")
    change(base / "config.json", _attn_implementation=f"{base}:kernel")


@pytest.mark.parametrize(
    "spoil",
    [
        only_pickled,
        pickled_beside_a_decoy,
        pickled_part_of_an_index,
        pickle_called_safetensors,
        own_modeling,
        own_tokenizer,
    ],
)
def test_code_in_a_base_is_refused_in_one_line_and_not_run(
    base: Path, marker: Path, spoil: Callable[[Path, Path], None]
) -> None:
    spoil(base, marker)
    with pytest.raises(BaseModelError) as caught:
        torch_model.load(base)
    assert not marker.exists()
    assert "\n" not in str(caught.value)
    assert str(base) in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_that_a_known_kind_names_is_left_alone(base: Path, marker: Path, file: str) -> None:
    """The model is one that transformers knows: it is loaded by transformers' own code."""
    (base / "own.py").write_text(f"open({str(marker)!r}, 'w')\n")
    places = {"AutoConfig": "own.C", "AutoModelForMaskedLM": "own.M", "AutoTokenizer": [None, "own.T"]}
    change(base / file, auto_map=places)
    assert torch_model.load(base).kind == "distilbert"
    assert not marker.exists()


def test_a_kernel_that_a_base_names_is_not_fetched(base: Path, marker: Path) -> None:
    own_kernel(base, marker)
    with pytest.raises(BaseModelError):
        torch_model.load(base)
    assert not marker.exists()


def test_the_trap_of_these_tests_works(marker: Path, tmp_path: Path) -> None:
    torch.save(Trap(marker), tmp_path / "trap")
    torch.load(tmp_path / "trap", weights_only=False)
    assert marker.exists()


def test_a_foreign_checkpoint_is_not_unpickled(marker: Path, tmp_path: Path) -> None:
    torch.save({"key": "k", "state": Trap(marker)}, tmp_path / "checkpoint")
    assert Checkpoint(tmp_path / "checkpoint", "k").load() is None
    assert not marker.exists()


def reading(location: str, folder: Path) -> None:
    """A graph whose weights are said to be in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    node = helper.make_node("Identity", ["w"], ["log_probabilities"])
    shown = helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, [2])
    graph = helper.make_graph([node], "g", [], [shown], [tensor])
    save(graph, folder, domain="")


def calling(domain: str, folder: Path) -> None:
    """A graph that needs an operator of somebody's own library."""
    node = helper.make_node("Own", [], ["log_probabilities"], domain=domain)
    shown = helper.make_tensor_value_info("log_probabilities", TensorProto.FLOAT, [2])
    save(helper.make_graph([node], "g", [], [shown]), folder, domain=domain)


def save(graph: Any, folder: Path, *, domain: str) -> None:
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    (folder / "model.onnx").write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )


@pytest.fixture
def served(served_folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(served_folders["distilbert"], tmp_path / "models" / "v0001"))


@pytest.mark.parametrize("location", ["../../secret", "{secret}", "sub/../../../secret", "link"])
def test_a_graph_cannot_read_what_is_outside_of_its_folder(
    served: Path, tmp_path: Path, location: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"8 bytes!")
    (served / "sub").mkdir()
    (served / "link").symlink_to(secret)
    reading(location.format(secret=secret), served)
    with pytest.raises(CorruptVersionError):
        FillModel(served)


def test_the_graph_of_these_tests_reads_what_is_inside(served: Path) -> None:
    (served / "weights").write_bytes(b"8 bytes!")
    reading("weights", served)
    FillModel(served)


def test_a_graph_brings_no_operators_of_its_own(served: Path) -> None:
    calling("stranger", served)
    with pytest.raises(CorruptVersionError):
        FillModel(served)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "models")
    for _ in range(3):
        registry.promote(write(registry, champion=registry.champion()))
    registry.set_domain("v0003")
    return registry


@pytest.mark.parametrize(
    "name", ["../v0002/model.onnx", "..", ".", "", "/etc/passwd", "a/b", "x\0y", "\u202e"]
)
def test_a_card_cannot_name_files_outside_of_its_folder(registry: Registry, name: str) -> None:
    path = registry.folder / "v0001" / "card.json"
    change(path, files={**json.loads(path.read_text())["files"], name: "0" * 64})
    with pytest.raises(CorruptVersionError):
        registry.verify("v0001")


@pytest.mark.parametrize(
    "values",
    [
        {"run_id": 2**63},
        {"run_id": -1},
        {"run_id": 10**400},
        {"created_at": "2026-03-01T03:00:00"},
        {"as_of": "2026-03-01T03:00:00"},
        {"created_at": 1e300},
        {"metrics": []},
        {"champion": ["v0001"]},
    ],
)
def test_an_unusable_card_is_damaged(registry: Registry, values: dict[str, Any]) -> None:
    change(registry.folder / "v0001" / "card.json", **values)
    with pytest.raises(CorruptVersionError):
        registry.card("v0001")


def test_a_card_that_is_nested_deeply_is_damaged(registry: Registry) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    path = registry.folder / "v0001" / "card.json"
    path.write_text(path.read_text().replace('"metrics": {}', f'"metrics": {{"x": {deep}}}'))
    assert deep in path.read_text()
    with pytest.raises(CorruptVersionError):
        registry.card("v0001")


@pytest.mark.parametrize("champion", ["../v0002", "v0002/../../x", "/etc", "v00\n02", "champion"])
def test_a_card_cannot_lead_a_rollback_elsewhere(registry: Registry, champion: str) -> None:
    change(registry.folder / "v0003" / "card.json", champion=champion)
    with pytest.raises(TrainingError):
        registry.previous()


@pytest.mark.parametrize("pointer", ["../v0002", "/etc", "v0002/..", "V0002", "v0002 v0001", "v٠٠٠٢"])
def test_a_pointer_names_a_version_or_nothing(registry: Registry, pointer: str) -> None:
    (registry.folder / "champion").write_text(pointer + "\n")
    assert registry.champion() is None


def test_pruning_deletes_nothing_outside_of_the_folder(registry: Registry, tmp_path: Path) -> None:
    """A version that was moved to a larger disk, and linked; it must not stop the next run either."""
    elsewhere = (registry.folder / "v0001").rename(tmp_path / "elsewhere")
    (registry.folder / "v0001").symlink_to(elsewhere)
    (registry.folder / "v0000.partial").symlink_to(elsewhere)
    inside = elsewhere / "model.onnx"
    assert registry.prune(1) == ["v0001"]
    assert inside.exists()
    assert write(registry) == "v0004"
    assert inside.exists()
    assert not [path for path in registry.folder.iterdir() if path.is_symlink()]


def calls() -> Iterator[tuple[str, ast.Call]]:
    for package in ("bot", "storage", "training"):
        for path in sorted((PROJECT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.relative_to(PROJECT)}:{node.lineno}", node


def test_the_code_uses_no_unsafe_loader() -> None:
    forbidden = (
        "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads",
        "joblib.load", "marshal.loads", "yaml.unsafe_load", "yaml.full_load", "shelve.open", "dill.load",
        "subprocess.getoutput", "register_custom_ops_library", "asyncio.create_subprocess_shell",
    )  # fmt: skip
    found = []
    for where, call in calls():
        name = ast.unparse(call.func)
        options = {one.arg: ast.unparse(one.value) for one in call.keywords}
        is_bad = (
            name in forbidden
            or name.endswith(".register_custom_ops_library")
            or (name == "torch.load" and options.get("weights_only") != "True")
            or (name == "yaml.load" and options.get("Loader") != "Loader")  # of bot.texts: CSafeLoader
            or options.get("trust_remote_code", "False") != "False"
            or options.get("allow_pickle", "False") != "False"
            or options.get("shell", "False") != "False"
            or (name.endswith(".from_pretrained") and options.get("trust_remote_code") != "False")
            or ("ForMaskedLM.from_pretrained" in name and options.get("use_safetensors") != "True")
        )
        if is_bad:
            found.append(f"{where} {name}")
    assert found == []
