"""Approval of each model version."""

import polars as pl

from training.votes.checks.approval import ApprovalCounts, approval_by_version

COLUMNS = ["model_version", "value", "flag", "adjusted", "via"]


def approval(*rows: tuple[str, int, str, bool, str]) -> list[tuple[str, int, float]]:
    schema = dict(zip(COLUMNS, (pl.Utf8, pl.Int64, pl.Utf8, pl.Boolean, pl.Utf8), strict=True))
    table = approval_by_version(
        ApprovalCounts().run(pl.DataFrame(rows, schema=schema, orient="row"))["output"]
    )
    return table.select("model_version", "votes", "approval").rows()


def test_only_clean_votes_on_the_bare_models_words_count() -> None:
    assert approval(
        ("v0001", 1, "", False, "reaction"),
        ("v0001", -1, "", False, "menu"),
        ("v0001", -1, "too long", False, "reaction"),
        ("v0001", -1, "", True, "reaction"),
        ("v0001", 1, "", False, "suggestion"),
    ) == [("v0001", 2, 0.5)]


def test_versions_stand_in_order() -> None:
    assert approval(
        ("v0010", 1, "", False, "menu"), ("v0002", -1, "", False, "menu"), ("v0003", -1, "x", False, "menu")
    ) == [("v0002", 1, 0.0), ("v0010", 1, 1.0)]


def test_no_votes() -> None:
    assert approval() == []
