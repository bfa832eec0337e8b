"""Easy blanks, which a trained model fills in, and one with a random, shuffled or foreign head does not."""

from pathlib import Path

import pytest
import torch
from support.tiny import tiny_distilbert, tiny_tokenizer
from torch import nn

from training.corpus.language import FOLDER, reading
from training.corpus.yaml_files import read_yaml
from training.errors import WeakBaseError
from training.inference.encoder import MASK
from training.models import torch_model
from training.models.base_check import NEEDED, BaseCheck, check_base, require_usable
from training.models.torch_model import MaskedLm
from training.registry.versions import Registry
from training.settings import Settings

LANGUAGES = sorted(path.parent.parent.name for path in FOLDER.glob("*/suites/easy.yaml"))


@pytest.fixture
def trained(compact_models: Path) -> MaskedLm:
    return torch_model.load(Registry(compact_models).path("v0001"))


def untrained() -> MaskedLm:
    return MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="tiny")


def checked(model: MaskedLm) -> BaseCheck:
    check = check_base(model)
    assert check is not None
    return check


def test_a_trained_model_passes(trained: MaskedLm) -> None:
    check = checked(trained)
    assert check.is_passed, check
    assert check.share > NEEDED


def test_the_same_model_with_a_shuffled_head_fails(trained: MaskedLm) -> None:
    head = trained.model.get_output_embeddings()
    order = torch.randperm(len(head.weight), generator=torch.Generator().manual_seed(0))
    head.weight, head.bias = nn.Parameter(head.weight[order]), nn.Parameter(head.bias[order])
    check = checked(trained)
    assert check.failed == list(check.asked)


def test_the_same_model_with_shifted_positions_fails(trained: MaskedLm) -> None:
    table = trained.model.base_model.embeddings.position_embeddings
    with torch.no_grad():
        table.weight.copy_(table.weight.roll(7, dims=0))
    assert not checked(trained).is_passed


def test_an_untrained_model_is_refused_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FILLBOT_ALLOW_WEAK_BASE", raising=False)
    model = untrained()
    with pytest.raises(
        WeakBaseError, match=r"fills in only \d+ of \d+ easy blanks.*FILLBOT_ALLOW_WEAK_BASE=true"
    ):
        require_usable(model, Settings(_env_file=None))
    require_usable(model, Settings(_env_file=None, allow_weak_base=True))


def test_a_refusal_counts_the_kinds_of_blanks_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FILLBOT_ALLOW_WEAK_BASE", raising=False)
    partly = BaseCheck(asked={"first": 8, "last": 8}, known={"first": 8, "last": 3})
    monkeypatch.setattr("training.models.base_check.check_base", lambda _: partly)
    with pytest.raises(WeakBaseError, match="fills in only 3 of 8 easy blanks"):
        require_usable(untrained(), Settings(_env_file=None))


def test_a_language_without_easy_blanks_is_not_checked() -> None:
    with reading("xx"):
        assert check_base(untrained()) is None
        require_usable(untrained(), Settings(_env_file=None))


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_blank_has_its_words(code: str) -> None:
    kinds = read_yaml(FOLDER / code / "suites" / "easy.yaml")
    assert list(kinds) == ["first", "last", "two", "lower"]
    for text, *words in (blank for blanks in kinds.values() for blank in blanks):
        assert text.count(MASK) == len(words), text
        assert all(isinstance(word, str) for answers in words for word in answers), text
