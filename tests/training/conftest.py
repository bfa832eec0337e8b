"""The tiny models, as the hub would give them and as they serve."""

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch
from support.tiny import tiny_bert, tiny_distilbert, tiny_tokenizer, write_served

from training.inference.fill_model import FillModel
from training.models import torch_model
from training.models.torch_model import MaskedLm

torch.set_num_threads(1)  # tiny matrices on shared cores: threads would only wait for each other


@pytest.fixture(scope="session")
def base_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind → a folder as the hub gives it. Not to be written to."""
    folders = {}
    for kind, blank in (("distilbert", tiny_distilbert()), ("bert", tiny_bert())):
        folders[kind] = tmp_path_factory.mktemp(kind)
        MaskedLm(blank, tiny_tokenizer(), base=kind).save(folders[kind])
    return folders


@pytest.fixture(scope="session")
def distilbert_folder(base_folders: dict[str, Path]) -> Path:
    return base_folders["distilbert"]


@pytest.fixture
def masked_lm(distilbert_folder: Path) -> MaskedLm:
    """A fresh torch model for a test to train."""
    return torch_model.load(distilbert_folder)


@pytest.fixture(scope="session")
def served_folders(
    base_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Kind → what the bot loads of a version. Not to be written to."""
    folders = {kind: tmp_path_factory.mktemp("served") / kind for kind in base_folders}
    for kind, folder in folders.items():
        write_served(torch_model.load(base_folders[kind]), folder)
    return folders


@pytest.fixture(scope="session")
def fill_models(served_folders: dict[str, Path]) -> dict[str, FillModel]:
    return {kind: FillModel(folder, threads=1) for kind, folder in served_folders.items()}


@pytest.fixture(scope="session")
def fill_model(fill_models: dict[str, FillModel]) -> FillModel:
    return fill_models["distilbert"]


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A context in which no file grows beyond so many bytes; writing more ends as on a full disk."""

    @contextmanager
    def limited(most: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
