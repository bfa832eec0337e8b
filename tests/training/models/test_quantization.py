"""An int8 graph answers as the fp32 one, alone and in a batch; where it does not, fp32 serves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny import tiny_bert, tiny_distilbert, tiny_tokenizer, write_served

from training.inference.encoder import Encoder
from training.inference.fill_model import FillModel
from training.models import quantization_check as agreement_module
from training.models.onnx_export import export
from training.models.quantization import ActivationRange, Int8Ops, activation_ranges, calibrate
from training.models.quantization_check import QuantizationCheck, check_quantization
from training.models.torch_model import MaskedLm
from training.models.writing import exported_like, write_files
from training.registry.versions import Draft

QUERIES = (
    "Nike shoes are very [MASK].",
    "[MASK].",
    "The [MASK] boots are [MASK] for my team, and not so late!",
)


@pytest.fixture(params=["distilbert", "bert"])
def masked_lm(request: pytest.FixtureRequest) -> MaskedLm:
    model = tiny_distilbert() if request.param == "distilbert" else tiny_bert()
    return MaskedLm(model, tiny_tokenizer(), base=request.param).eval()


def int8_model(masked_lm: MaskedLm, folder: Path, **options: Any) -> FillModel:
    """A served folder whose graph is in int8."""
    write_served(masked_lm, folder)
    export(masked_lm, folder / "model.onnx", ops=Int8Ops(calibrate(masked_lm), **options))
    return FillModel(folder, threads=1)


def test_all_linear_layers_are_found(masked_lm: MaskedLm) -> None:
    parts = {f"{layer}.{name}" for layer in (0, 1) for name in ("q", "k", "v", "o", "up", "down")}
    linear_layers = masked_lm.architecture.linear_layers()
    assert set(linear_layers) == parts | {"transform", "projector"}
    weights = masked_lm.architecture.weights()
    assert all(
        torch.equal(weights[f"{name}.weight"], linear.weight) for name, linear in linear_layers.items()
    )


def test_ranges_contain_the_inputs_of_the_layers(masked_lm: MaskedLm) -> None:
    encoder = Encoder(masked_lm.tokenizer, max_tokens=48)
    queries = [encoder.encode(query) for query in QUERIES]
    together = activation_ranges(masked_lm, queries)
    assert set(together) == set(masked_lm.architecture.linear_layers())
    alone = [activation_ranges(masked_lm, [query]) for query in queries]
    for name, found in together.items():
        assert (found.low <= found.high).all()
        assert np.allclose(found.low, np.min([each[name].low for each in alone], axis=0), atol=1e-5)
        assert np.allclose(found.high, np.max([each[name].high for each in alone], axis=0), atol=1e-5)
    assert not any(linear._forward_pre_hooks for linear in masked_lm.architecture.linear_layers().values())


def test_int8_is_close_to_fp32(masked_lm: MaskedLm, tmp_path: Path) -> None:
    write_served(masked_lm, tmp_path / "exact")
    exact, quick = FillModel(tmp_path / "exact", threads=1), int8_model(masked_lm, tmp_path / "quick")
    queries = [exact.encoder.encode(query) for query in QUERIES]
    for theirs, ours in zip(exact.log_probabilities(queries), quick.log_probabilities(queries), strict=True):
        assert theirs.shape == ours.shape
        assert 0 < np.abs(theirs - ours).max() < 0.8
        assert np.exp(ours).sum(axis=-1) == pytest.approx(1, abs=1e-4)


def test_an_answer_does_not_depend_on_the_batch(masked_lm: MaskedLm, tmp_path: Path) -> None:
    quick = int8_model(masked_lm, tmp_path)
    queries = [quick.encoder.encode(query) for query in QUERIES]
    together = quick.log_probabilities(queries)
    for query, logs in zip(queries, together, strict=True):
        assert np.abs(quick.log_probabilities([query])[0] - logs).max() < 1e-4


def test_large_channels_cost_the_others_no_accuracy(tmp_path: Path) -> None:
    model = MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="tiny").eval()
    layer = model.architecture.layers[0]
    with torch.no_grad():
        layer.sa_layer_norm.weight[:2] *= 30
        layer.ffn.lin1.weight[:, :2] /= 30
    write_served(model, tmp_path / "exact")
    exact = FillModel(tmp_path / "exact", threads=1)
    queries = [exact.encoder.encode(query) for query in QUERIES]

    def error(name: str, **options: float) -> float:
        quick = int8_model(model, tmp_path / name, **options)
        pairs = zip(exact.log_probabilities(queries), quick.log_probabilities(queries), strict=True)
        return max(float(np.abs(theirs - ours).max()) for theirs, ours in pairs)

    with_outliers_apart = error("apart", outlier_share=1 / 12)
    assert with_outliers_apart < error("together", outlier_share=0.0) / 3


def test_a_range_of_zeros_is_quantized(tmp_path: Path) -> None:
    model = MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="tiny").eval()
    ranges = {name: ActivationRange(0 * r.low, 0 * r.high) for name, r in calibrate(model).items()}
    write_served(model, tmp_path)
    export(model, tmp_path / "model.onnx", ops=Int8Ops(ranges))
    quick = FillModel(tmp_path, threads=1)
    assert np.isfinite(quick.log_probabilities([quick.encoder.encode(QUERIES[0])])[0]).all()


def draft_of(tmp_path: Path, name: str) -> Draft:
    (tmp_path / name).mkdir()
    return Draft(name, tmp_path / name)


@pytest.mark.parametrize(
    ("agreed", "precision"),
    [
        (QuantizationCheck(200, 0.95, 0.95, ()), "int8"),
        (QuantizationCheck(200, 0.949, 1.0, ()), "fp32"),
        (QuantizationCheck(200, 1.0, 0.949, ()), "fp32"),
        (QuantizationCheck(200, 1.0, 1.0, ("wanted_share of main",)), "fp32"),
    ],
)
def test_int8_serves_where_it_agrees(
    agreed: QuantizationCheck, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.models.writing.check_quantization", lambda *_, **__: agreed)
    model = MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="tiny")
    draft = draft_of(tmp_path, "v0001")
    made = write_files(model, draft, shown_words=5)
    exact = write_files(model, draft_of(tmp_path, "v0002"), precision="fp32", shown_words=5)
    assert made.precision == precision
    assert made.agreement is not None
    assert made.agreement["top1"] == agreed.top1
    assert (exact.precision, exact.agreement) == ("fp32", None)
    assert not (draft.folder / "int8.onnx").exists()
    query = [exact.encoder.encode(QUERIES[0])]
    is_exact = np.array_equal(made.log_probabilities(query)[0], exact.log_probabilities(query)[0])
    assert is_exact == (precision == "fp32")
    again = FillModel(draft.folder, threads=1)
    assert again.precision == precision
    assert np.allclose(again.log_probabilities(query)[0], made.log_probabilities(query)[0], atol=1e-5)


def test_a_model_agrees_with_itself_and_not_with_another(fill_models: dict[str, FillModel]) -> None:
    one, other = fill_models["distilbert"], fill_models["bert"]
    same = check_quantization(one, one, shown_words=5)
    assert (same.top1, same.shown, same.moved, same.is_passed) == (1.0, 1.0, (), True)
    assert same.masks > 200
    assert not check_quantization(one, other, shown_words=5).is_passed


def test_a_figure_is_moved_when_it_leaves_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    class Score:
        def __init__(self, share: float) -> None:
            self.wanted_share = share

    before = [Score(share) for share in (0.4, 0.5, 0.6) * 20]
    near, far = [Score(s.wanted_share + 0.01) for s in before], [Score(s.wanted_share + 0.1) for s in before]
    assert not agreement_module._is_moved("wanted_share", before, near)
    assert agreement_module._is_moved("wanted_share", before, far)
    assert agreement_module._is_moved("wanted_share", before, [Score(s.wanted_share - 0.1) for s in before])
    assert not agreement_module._is_moved("wanted_share", [None], [None])


@pytest.mark.parametrize(("passes", "share"), [(1, 1 / 24), (2, 1 / 12), (3, 1 / 6), (4, 1 / 4), (5, None)])
def test_int8_is_made_more_exact_until_it_agrees(
    passes: int, share: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[FillModel] = []

    def check(_exact: FillModel, quick: FillModel, **_: Any) -> QuantizationCheck:
        checks.append(quick)
        return QuantizationCheck(200, 1.0 if len(checks) == passes else 0.9 + len(checks) / 1e3, 1.0, ())

    monkeypatch.setattr("training.models.writing.check_quantization", check)
    model = MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="tiny")
    made = write_files(model, draft_of(tmp_path, "v0001"), shown_words=5, queries=QUERIES)
    assert (made.precision, made.outlier_share) == ("int8" if share else "fp32", share)
    assert made.quantization == ({"outlier_share": share} if share else None)
    assert made.agreement is not None
    if share is None:
        assert made.agreement["top1"] == 0.904  # the closest


@pytest.mark.parametrize(("least", "tried"), [(1 / 12, [1 / 12, 1 / 6, 1 / 4]), (1 / 4, [1 / 4])])
def test_int8_begins_with_as_many_outliers_as_the_model_before_it(
    least: float, tried: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float | None] = []

    def check(_exact: FillModel, quick: FillModel, **_: Any) -> QuantizationCheck:
        shares.append(quick.outlier_share)
        return QuantizationCheck(200, 0.9, 1.0, ())

    monkeypatch.setattr("training.models.writing.check_quantization", check)
    model = MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="tiny")
    made = write_files(model, draft_of(tmp_path, "v0001"), shown_words=5, least_outliers=least)
    assert (made.precision, shares) == ("fp32", tried)


def test_a_model_is_exported_as_another_one_serves(masked_lm: MaskedLm, tmp_path: Path) -> None:
    quick = int8_model(masked_lm, tmp_path / "quick", outlier_share=1 / 4)
    quick.precision, quick.quantization = "int8", {"outlier_share": 1 / 4}
    with exported_like(quick, masked_lm) as alike:
        assert (alike.precision, alike.outlier_share) == ("int8", 1 / 4)
        query = [quick.encoder.encode(QUERIES[0])]
        assert np.allclose(alike.log_probabilities(query)[0], quick.log_probabilities(query)[0], atol=1e-5)
    write_served(masked_lm, tmp_path / "exact")
    with exported_like(FillModel(tmp_path / "exact"), masked_lm) as alike:
        assert (alike.precision, alike.outlier_share) == ("fp32", None)
