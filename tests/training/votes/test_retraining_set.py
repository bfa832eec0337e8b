"""Judgements → examples, their split and their hash."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ballots import hash_of

from training.votes import retraining_set
from training.votes.aggregation import Judgement
from training.votes.retraining_set import Example, build


def judgement(
    word: str = "cheap",
    *,
    query: str = "q [MASK].",
    mask_index: int = 0,
    up: float = 1,
    down: float = 0,
    weight: float = 1.0,
) -> Judgement:
    return Judgement(query, hash_of(query), mask_index, word, up, down, voters=2, weight=weight)


def many(queries: int, *, words: int = 1) -> list[Judgement]:
    return [
        judgement(f"w{word}", query=f"{query} [MASK].") for query in range(queries) for word in range(words)
    ]


def test_judgements_are_grouped_by_query_and_mask() -> None:
    chosen = build(
        [
            judgement("ugly", up=0, down=2, weight=0.5),
            judgement("soft", mask_index=1),
            judgement("cheap", up=0, down=1, weight=2.0),
            judgement("comfortable", weight=3.0),
        ],
        held_out_share=0.0,
    )
    assert chosen.train == (
        Example(
            "q [MASK].", hash_of("q [MASK]."), 0, (("comfortable", 3.0),), (("cheap", 2.0), ("ugly", 0.5))
        ),
        Example("q [MASK].", hash_of("q [MASK]."), 1, (("soft", 1.0),), ()),
    )
    assert (chosen.held_out, chosen.judgements) == ((), 4)


def test_no_judgements() -> None:
    chosen = build([], held_out_share=0.1)
    assert (chosen.train, chosen.held_out, chosen.judgements) == ((), (), 0)
    assert len(chosen.hash) == 64


def test_the_hash_covers_words_and_directions() -> None:
    base = [judgement("cheap"), judgement("ugly", up=0, down=1)]
    same = build(base, held_out_share=0.0).hash
    assert (
        build(
            [replace(j, weight=9.0, voters=7, up=j.up * 2, down=j.down * 2) for j in base],
            held_out_share=0.9,
            min_held_out=1,
        ).hash
        == same
    )
    others = [
        base[:1],
        [judgement("cheap", up=0, down=1), judgement("ugly", up=0, down=1)],
        [judgement("cheap", mask_index=1), judgement("ugly", up=0, down=1)],
        [judgement("cheap", query="other [MASK]."), judgement("ugly", up=0, down=1)],
    ]
    assert same not in {build(other, held_out_share=0.0).hash for other in others}


@given(st.randoms(use_true_random=False))
def test_the_order_of_judgements_does_not_matter(shuffler: random.Random) -> None:
    judgements = many(8, words=3)
    shuffled = judgements.copy()
    shuffler.shuffle(shuffled)
    assert build(shuffled, held_out_share=0.3, min_held_out=1) == build(
        judgements, held_out_share=0.3, min_held_out=1
    )


def test_queries_are_held_out_whole_and_by_their_hash() -> None:
    judgements = [
        *many(400, words=2),
        *(judgement("w9", query=f"{query} [MASK].", mask_index=1) for query in range(400)),
    ]
    chosen = build(judgements, held_out_share=0.25)
    held, trained = {e.query_hash for e in chosen.held_out}, {e.query_hash for e in chosen.train}
    assert not held & trained
    assert 70 <= len(held) <= 130  # a quarter of 400, by the luck of the hashes
    assert sum(e.query_hash in held for e in chosen.held_out) == 2 * len(held)  # both masks of each
    fewer = build([j for j in judgements if j.query_hash in held or j.word == "w0"], held_out_share=0.25)
    assert {e.query_hash for e in fewer.held_out} == held  # a query's side does not depend on the others


@pytest.mark.parametrize(("min_held_out", "holds_out"), [(1, True), (10_000, False)])
def test_too_few_judgements_are_not_held_out(min_held_out: int, holds_out: bool) -> None:
    chosen = build(many(100), held_out_share=0.2, min_held_out=min_held_out)
    assert bool(chosen.held_out) == holds_out
    assert chosen.judgements == 100
    assert len(chosen.train) + len(chosen.held_out) == 100


def test_the_limit_counts_judgements() -> None:
    chosen = build(many(100), held_out_share=0.2, min_held_out=1)
    held = len(chosen.held_out)  # one judgement each
    assert build(many(100), held_out_share=0.2, min_held_out=held).held_out
    assert not build(many(100), held_out_share=0.2, min_held_out=held + 1).held_out


def test_the_set_is_kept_as_json_lines(tmp_path: Path) -> None:
    chosen = build(
        [
            judgement("l’été", query="Ça [MASK]."),
            judgement("ugly", query="Ça [MASK].", up=0, down=1, weight=1 / 3),
        ],
        held_out_share=0.0,
    )
    retraining_set.write(chosen, tmp_path)
    (line,) = (tmp_path / "retraining_set.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "split": "train",
        "query": "Ça [MASK].",
        "mask_index": 0,
        "wanted": ["l’été"],
        "unwanted": ["ugly"],
        "weights": [1.0, 0.3333],
    }


def test_the_written_set_is_loaded_by_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    from datasets import Dataset

    retraining_set.write(build(many(60), held_out_share=0.2, min_held_out=1), tmp_path)
    rows = Dataset.from_json(str(tmp_path / "retraining_set.jsonl"), cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 60
    assert set(rows["split"]) == {"train", "held_out"}
