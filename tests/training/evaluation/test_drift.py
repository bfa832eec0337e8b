"""Drift computed by hand, and the choice of neutral queries."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from support.oracles import Oracle, oracle

from training.corpus.lexicon import unwanted_words, wanted_words
from training.evaluation import metrics
from training.evaluation.drift import Drift, Reference, neutral_queries, pooled, unvoted
from training.inference.encoder import Encoded
from training.inference.fill_model import FillModel


def drift(model: FillModel, reference: FillModel, queries: Sequence[str]) -> Drift:
    found = Reference(reference, queries).drift_of(model)
    assert found is not None
    return found


def test_drift_from_itself_is_zero(fill_model: FillModel) -> None:
    found = drift(fill_model, fill_model, ["Nike shoes are [MASK].", "It [MASK] so [MASK]."])
    assert found == Drift(nats=pytest.approx(0.0, abs=1e-6), top10_kept=1.0, masks=3)


def test_drift_by_hand() -> None:
    # KL(reference ‖ model) = Σ r · ln(r / m); cheap and ugly swap 0.6 and 0.3, the rest is the same:
    # 0.6 · ln 2 + 0.3 · ln ½ = 0.3 · ln 2.
    reference, model = oracle(cheap=0.6, ugly=0.3), oracle(cheap=0.3, ugly=0.6)
    found = drift(model, reference, ["It is [MASK]."])
    assert found.nats == pytest.approx(0.3 * math.log(2), abs=1e-4)
    assert found.top10_kept == 1.0


def test_drift_counts_the_best_words_kept() -> None:
    names = ["cheap", "comfortable", "ugly", "soft", "great", "poor", "light", "heavy", "warm", "useless"]
    before = oracle(**dict.fromkeys(names, 0.09))
    after = oracle(**dict.fromkeys([*names[:7], "bad", "nice", "new"], 0.09))
    assert drift(after, before, ["It is [MASK]."]).top10_kept == pytest.approx(0.7)


def test_drift_needs_one_vocabulary(fill_model: FillModel) -> None:
    class Wider(Oracle):
        def log_probabilities(self, encoded: Sequence[Encoded]) -> list[np.ndarray]:
            return [np.zeros((1, 7), dtype=np.float32)]

    with pytest.raises(ValueError, match="one vocabulary"):
        drift(cast("FillModel", Wider({})), fill_model, ["It is [MASK]."])


def test_without_queries_there_is_no_drift(fill_model: FillModel) -> None:
    assert Reference(fill_model, []).drift_of(fill_model) is None
    assert pooled([]) is None


def test_pooled_drift_is_that_of_all_masks() -> None:
    found = pooled([Drift(0.1, 0.9, masks=3), Drift(0.5, 0.5, masks=1)])
    assert found == Drift(nats=pytest.approx(0.2), top10_kept=pytest.approx(0.8), masks=4)


def test_the_word_in_the_middle_is_hidden() -> None:
    assert neutral_queries(["The sole bends, and it springs back.", "7 + 7!"]) == [
        "The sole bends, [MASK] it springs back."
    ]


def test_words_of_praise_and_blame_are_not_hidden() -> None:
    assert "comfortable" in wanted_words()
    assert "ugly" in unwanted_words()
    assert neutral_queries(["Comfortable shoes Ugly"]) == ["Comfortable [MASK] Ugly"]


def test_each_shipped_text_gives_one_query() -> None:
    texts = metrics.read_texts(metrics.suites_folder() / "texts.jsonl")
    queries = neutral_queries(texts)
    assert len(queries) == len(set(queries)) == len(texts)
    assert all(query.count("[MASK]") == 1 for query in queries)


def test_voted_queries_are_removed() -> None:
    queries = ["It is [MASK].", "Berlin lies in [MASK].", "Why [MASK]?"]
    assert unvoted(queries, ["IT  is [mask]", "why [MASK]"]) == queries[1:]
    assert unvoted(queries, []) == queries
