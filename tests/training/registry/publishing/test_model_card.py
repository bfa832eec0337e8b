"""The card of a version for people: what the hub and transformers read of it, and what it must not say."""

import re
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from support.versions import card

from storage.sentences import Sentence
from training.evaluation.gate import Reason, Verdict
from training.registry.card import Kind
from training.registry.publishing.model_card import is_hub_name, model_card

NIGHT: dict[str, Any] = {
    "kind": "night",
    "base": "distilbert/distilbert-base-uncased",
    "parent": "v0002",
    "champion": "v0003",
    "run_id": 12,
    "recipe": "tilted target, KL replay, anchors",
    "retraining_set_hash": "5e884898da28047151d0e56f8dc62927",
    "as_of": datetime(2026, 3, 2, 2, 30, tzinfo=UTC),
    "settings": {"seed": 3, "learning_rate": 7e-5, "epochs": 12, "threads": 2},
    "libraries": {"torch": "2.13.0+cpu", "python": "3.11.7"},
    "metrics": {
        "voted": {
            "champion": {"unwanted_at_5": 9, "wanted_at_5": 4},
            "challenger": {"unwanted_at_5": 1, "wanted_at_5": 7},
        },
        "drift_nats": 0.0213,
        "loss": [[1, 2.5], [20, 1.25], [40, 0.625]],
    },
}


def front_matter(text: str) -> dict[str, Any]:
    return ModelCard(text).data.to_dict()


def rows_of(text: str) -> list[list[str]]:
    """The cells of every table row."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_hub_finds_what_it_reads() -> None:
    assert front_matter(model_card(card("v0004", **NIGHT))) == {
        "library_name": "transformers",
        "pipeline_tag": "fill-mask",
        "base_model": "distilbert/distilbert-base-uncased",
        "language": "en",
        "tags": ["fillbot", "masked-lm", "sportswear", "customer-support"],
    }


def test_no_licence_is_claimed() -> None:
    text = model_card(card("v0004", **NIGHT))
    assert "license" not in front_matter(text)
    assert "No licence is stated here" in text


@pytest.mark.parametrize(
    "base", ["distilbert-base-uncased", "ours/shoe-bert_2.1", "null", "123", "1e5", "yes"]
)
def test_a_base_of_the_hub_is_named(base: str) -> None:
    text = model_card(card("v0001", base=base))
    assert front_matter(text)["base_model"] == base
    assert ["base model", f"`{base}`"] in rows_of(text)


@pytest.mark.parametrize(
    "base",
    [
        "/srv/models/base",
        "./base",
        "../shared/base",
        "~/base",
        "a/b/c",
        r"C:\models\base",
        "base/",
        "a/../b",
        "",
    ],
)
def test_a_base_of_a_folder_is_not(base: str) -> None:
    assert not is_hub_name(base)
    text = model_card(card("v0001", base=base))
    assert "base_model" not in front_matter(text)
    assert ["base model", "a model from a local folder"] in rows_of(text)
    assert not base or base not in text.replace("OR_REPOSITORY", "")


def test_the_starter_has_no_base() -> None:
    text = model_card(card("v0001", kind="starter", base="starter"))
    assert "base_model" not in front_matter(text)
    assert ["base model", "none"] in rows_of(text)


def test_it_says_what_a_version_was_made_from() -> None:
    rows = rows_of(model_card(card("v0004", **NIGHT)))
    for row in (
        ["fine-tuned from", "v0002"],
        ["recipe", "tilted target, KL replay, anchors"],
        ["votes up to", "2026-03-02 02:30+00:00"],
        ["run", "12"],
        ["hash of the retraining set", "5e884898da28047151d0e56f8dc62927"],
        ["`seed`", "3"],
        ["`learning_rate`", "7e-05"],
        ["`torch`", "2.13.0+cpu"],
    ):
        assert row in rows


def test_it_says_how_a_version_did() -> None:
    verdict = Verdict(
        False,
        (
            Reason("learnt", True, Sentence("1 < 9")),
            Reason("drift", False, Sentence("0.2 nats (limit 0.1)")),
        ),
    )
    text = model_card(card("v0004", **NIGHT, verdict=verdict.to_json()))
    rows = rows_of(text)
    assert ["", "`unwanted_at_5`", "`wanted_at_5`"] in rows
    assert ["`voted/challenger`", "1", "7"] in rows
    assert ["this version", "0.0213"] in rows
    assert "Training loss: 2.5 at step 1, 0.625 at step 40." in text
    assert "it did not pass.\n\n- passed: 1 \\< 9\n- failed: 0.2 nats (limit 0.1)\n" in text


def test_a_version_that_no_gate_judged_has_no_verdict() -> None:
    text = model_card(card("v0001"))
    assert "gate" not in text
    assert "## Results" not in text


def test_it_counts_the_texts_by_source() -> None:
    metrics = {"corpus": {"generated": 25_000, "reviews": 412, "tickets of ada": 3}}
    rows = rows_of(model_card(card("v0002", kind="domain", metrics=metrics)))
    assert rows[-3:] == [["`generated`", "25,000"], ["`reviews`", "412"], ["others", "3"]]


def test_it_counts_the_added_words_and_shows_some() -> None:
    words = ["good-looking", "stylish", *(f"{'x' * n}y" for n in range(1, 31)), "two words", "a/path", 7]
    text = model_card(card("v0002", kind="domain", metrics={"added_words": words}))
    assert "(32): good-looking, stylish, xy, " in text
    assert text.count("xy, ") == 18
    assert "two words" not in text
    assert "a/path" not in text


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_says_what_it_is_for(kind: Kind) -> None:
    text = model_card(card("v0001", kind=kind))
    assert text.startswith("---\n")
    assert "# fillbot v0001" in text
    assert 'pipeline("fill-mask"' in text
    assert "python -m training predict" in text
    assert "not meant for general use" in text
    assert ("trained to prefer" in text) == (kind != "base")
    assert ("opinions" in text) == (kind == "night")


def test_nothing_private_is_said() -> None:
    query, voter, path, secret = "ada's boots are [MASK]", 123456789012345678, "/home/ada/x", "hf_Zq7rT0kEn"
    text = model_card(
        card(
            "v0004",
            kind="night",
            base=path,
            recipe=f"fine-tuned on {path}/votes.csv",
            settings={"data_dir": path, "token": secret, "voter": voter},
            libraries={"torch": path, path: "1.0"},
            metrics={
                "changes": [{"query": query, "before": ["x"]}],
                "queries": {query: 0.5},
                "query": query,
                "reliability": {str(voter): 0.9, "voter": voter},
                "corpus": {path: 3},
                "added_words": [query, path],
            },
            verdict={
                "is_promotable": True,
                "reasons": [{"name": "x", "passed": True, "text": f"see {path}"}],
            },
        )
    )
    for private in ("ada", str(voter), f"{voter:,}", path, secret):
        assert private not in text


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(
    st.sampled_from(["loss", "corpus", "added_words", "is_promotable", "reasons", "a"]) | st.text(max_size=8),
    ANYTHING,
    max_size=4,
)


@given(
    settings=MAPPINGS,
    metrics=MAPPINGS,
    verdict=MAPPINGS,
    libraries=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    texts=st.lists(st.text(max_size=20), min_size=4, max_size=4),
)
def test_whatever_a_card_holds_there_is_a_readme(
    settings: dict[str, Any],
    metrics: dict[str, Any],
    verdict: dict[str, Any],
    libraries: dict[str, str],
    texts: list[str],
) -> None:
    base, recipe, parent, retraining_set_hash = texts
    made = card("v0001", kind="domain").model_copy(
        update={
            "base": base,
            "recipe": recipe,
            "parent": parent,
            "retraining_set_hash": retraining_set_hash,
            "settings": settings,
            "metrics": metrics,
            "verdict": verdict,
            "libraries": libraries,
        }
    )
    text = model_card(made)
    text.encode()
    assert front_matter(text)["pipeline_tag"] == "fill-mask"
    widths = [len(cells) for cells in rows_of(text)]
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert sum(len(rows_of(drawn)) for drawn in tables) == len(widths)
    assert all(len({len(cells) for cells in rows_of(drawn)}) == 1 for drawn in tables)
