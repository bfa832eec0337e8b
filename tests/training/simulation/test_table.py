"""The nights for people."""

from typing import Any

from training.simulation.table import table_of


def figures(version: str, **changed: Any) -> dict[str, Any]:
    voted = {"rejected": 9, "rejected_before": 9, "rejected_after": 1}
    return {
        "version": version,
        "voted": voted,
        "main": {"wanted_share": 0.9, "precision_at_5": 0.44},
        "gap_closed": 0.5,
        "unwanted_at_10_change": -0.61,
        "control_change": -0.0123,
        "perplexity_ratio": 1.0149,
        "top10_kept": 0.912,
        "drift_nats": 0.0312,
        **changed,
    }


def test_every_night_is_a_row_and_reasons_stand_below() -> None:
    said = {"votes": 1200, "judgements": 300, "latency_ratio": 1.01, "seconds": 61.5}
    promoted = {
        "night": 1,
        "status": "promoted",
        "version": "v0002",
        "sentence": "v0002 is the new champion.",
    }
    rejected = {
        "night": 2,
        "status": "rejected",
        "version": "v0003",
        "sentence": "v0003 was not promoted: no.",
    }
    skipped = {"night": 3, "status": "skipped", "version": None, "sentence": "There are 0 judged words."}
    text = table_of(
        [
            {"night": 0, "status": "before", "serving": figures("v0001", gap_closed=None)},
            {**promoted, **said, "serving": figures("v0002"), "challenger": figures("v0002")},
            {
                **rejected,
                **said,
                "serving": figures("v0002"),
                "challenger": figures("v0003", gap_closed=-0.2),
            },
            {**skipped, **said, "serving": figures("v0002"), "challenger": None},
        ]
    )
    for part in (
        "1,200",
        "9 → 1",
        "0.440",
        "+50.0%",
        "-61.0%",
        "-0.0123",
        "× 1.0149",
        "0.912",
        "× 1.01",
        "-20.0%",
        "–",
    ):
        assert part in text
    rows = [line.split()[1:3] for line in text.split("\n\n")[0].splitlines()[1:]]
    assert rows == [
        ["v0001", "before"],
        ["v0002", "promoted"],
        ["v0003", "rejected"],
        ["v0002", "still"],
        ["v0002", "skipped"],
    ]
    assert "Night 2: v0003 was not promoted: no.\nNight 3: There are 0 judged words.\n" in text
    assert "Night 1" not in text
