"""What of a card may be shown: figures under plain names, and nothing that could be anything else."""

from typing import Any

import pytest

from training.registry.publishing import card_figures
from training.registry.publishing.card_figures import counts, figure, is_name, plain, rows, table, tables


@pytest.mark.parametrize(
    "name", ["wanted_share", "hit_at_10", "hit@10", "top10_kept", "p95-ms", "products_2020", "v0007", "A"]
)
def test_names_of_figures(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Nike shoes are very [MASK]",
        "nike shoes",
        "123456789012345678",
        "voter123456789012345678",
        "ada@example.com",
        "/home/ada",
        "models/base",
        "a|b",
        "x" * 60,
        "café",
        7,
        None,
    ],
)
def test_what_is_no_name_of_a_figure(name: Any) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12, "12"),
        (25_000, "25,000"),
        (0.123456, "0.1235"),
        (1e-6, "1e-06"),
        (True, "yes"),
        (False, "no"),
        ([0.61, 0.6649], "0.61 to 0.6649"),
        ((0.5, 1.0), "0.5 to 1"),
        (123456789012345678, ""),  # a person
        (10**400, ""),
        (float("nan"), ""),
        (float("inf"), ""),
        ([1, 2], ""),  # no interval
        ([0.1, 0.2, 0.3], ""),
        ([0.1, float("nan")], ""),
        ("0.5", ""),
        (None, ""),
        ({}, ""),
    ],
)
def test_figures(value: Any, shown: str) -> None:
    assert figure(value) == shown


def test_rows_are_the_figures_and_short_choices_of_nested_mappings() -> None:
    values = {
        "seed": 0,
        "recipe": "curated",
        "adam": {"decay": 0.01, "betas": [0.9, 0.999]},
        "data_dir": "/home/ada/data",
        "token": "hf_AbCdEf",
        "note": "a query that somebody asked",
        "nothing": None,
        "Nike shoes are [MASK]": 1,
    }
    assert rows(values) == [
        ("`seed`", "0"),
        ("`recipe`", "curated"),
        ("`adam/decay`", "0.01"),
        ("`adam/betas`", "0.9 to 0.999"),
    ]
    assert rows(["no mapping"]) == []


def test_counts_keep_their_sum_where_a_name_may_say_too_much() -> None:
    values = {"generated": 25_000, "reviews": 236, "tickets of ada": 10, "export_20260301": 5, "note": "x"}
    assert counts(values) == [("`generated`", "25,000"), ("`reviews`", "236"), ("others", "15")]
    assert counts(None) == []


def test_groups_with_the_same_figures_share_a_table() -> None:
    assert tables(
        {
            "drift": 0.01,
            "champion": {"wanted": 1, "unwanted": 3},
            "voted": {"challenger": {"wanted": 2, "unwanted": 0}},
            "kept": 0.9,
        }
    ) == [
        "|  | `drift` | `kept` |\n| --- | --- | --- |\n| this version | 0.01 | 0.9 |",
        "|  | `wanted` | `unwanted` |\n| --- | --- | --- |\n| `champion` | 1 | 3 |\n"
        "| `voted/challenger` | 2 | 0 |",
    ]
    assert tables({}) == []


def test_a_long_table_says_what_it_leaves_out() -> None:
    drawn = table(("", ""), [("a", "1")] * (card_figures.MAX_ROWS + 3))
    assert drawn.count("| a | 1 |") == card_figures.MAX_ROWS
    assert drawn.endswith("\n\n… and 3 more.")
    assert table(("", ""), []) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tilted target, KL replay", "tilted target, KL replay"),
        ("of 3 words 1 is in the top five (limit +0.02)", "of 3 words 1 is in the top five (limit +0.02)"),
        ("a|b *c* _d_ `e` #1 <f> [g](h)", r"a\|b \*c\* \_d\_ \`e\` \#1 \<f\> \[g\](h)"),
        ("two\nlines\tand\u2028more\u202e", "two lines and more"),
        ("from /home/ada/base and ~/base, ../base, ./base", "from … and … … …"),
        (r"from C:\Users\ada and C:/Users", "from … and …"),
        ("and/or 1/2", "and/or 1/2"),
        ("\ud800", ""),  # half a character cannot be written
    ],
)
def test_plain_text(text: str, shown: str) -> None:
    assert plain(text) == shown
