"""Judgements as JSON lines, as `datasets` and TRL load them."""

from pathlib import Path
from typing import Any

import datasets
import pytest

from bot.features.export import labelled_words, preference_pairs, to_json_lines
from bot.imports.shapes import Opinion, read_opinions

SHOES, PARCEL = "Nike shoes are very [MASK].", "The parcel was “[MASK]”."
ROWS = [
    (SHOES, 0, "light", 2.0, 0.0, 2, None),
    (SHOES, 0, "soft", 1.5, 0.5, 2, None),
    (SHOES, 0, "ugly", 0.0, 2.0, 2, None),
    (PARCEL, 0, "früh", 2.0, 0.0, 2, None),
    ("[MASK] shoes are [MASK].", 1, "light", 2.0, 0.0, 2, None),
]
PAIRS = [
    {"prompt": SHOES, "chosen": "light", "rejected": "ugly"},
    {"prompt": SHOES, "chosen": "soft", "rejected": "ugly"},
]
LABELLED = [
    {"prompt": SHOES, "completion": "light", "label": True},
    {"prompt": SHOES, "completion": "soft", "label": True},
    {"prompt": SHOES, "completion": "ugly", "label": False},
    {"prompt": PARCEL, "completion": "früh", "label": True},
]


def test_each_wanted_word_of_a_sentence_is_paired_with_each_unwanted_one() -> None:
    assert list(preference_pairs(ROWS)) == PAIRS


def test_words_are_labelled_and_sentences_with_several_masks_left_out() -> None:
    assert list(labelled_words(ROWS)) == LABELLED


@pytest.mark.parametrize(
    ("entries", "types"),
    [
        (PAIRS, {"prompt": "string", "chosen": "string", "rejected": "string"}),
        (LABELLED, {"prompt": "string", "completion": "string", "label": "bool"}),
    ],
)
def test_datasets_loads_them_with_the_columns_of_trl(
    tmp_path: Path, entries: list[dict[str, Any]], types: dict[str, str]
) -> None:
    path = tmp_path / "entries.jsonl"
    path.write_bytes(to_json_lines(entries))
    found = datasets.load_dataset(
        "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert {name: feature.dtype for name, feature in found.features.items()} == types
    assert found.to_list() == entries


def test_an_import_reads_them_back() -> None:
    again = list(read_opinions("kto.jsonl", to_json_lines(LABELLED)))
    assert again == [Opinion(one["prompt"], one["completion"], one["label"]) for one in LABELLED]
    assert Opinion(SHOES, "ugly", False) in read_opinions("pairs.jsonl", to_json_lines(PAIRS))
