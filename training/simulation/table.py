"""The nights of a simulation as a table for people."""

from collections.abc import Iterator, Sequence
from typing import Any

from training.tables import aligned

FIGURES = {  # heading → (figure, how it is written)
    "gap closed": ("gap_closed", "{:+.1%}"),
    "unwanted@10": ("unwanted_at_10_change", "{:+.1%}"),
    "control": ("control_change", "{:+.4f}"),
    "perplexity": ("perplexity_ratio", "× {:.4f}"),
    "top 10 kept": ("top10_kept", "{:.3f}"),
    "drift": ("drift_nats", "{:.4f}"),
}
HEADER = (
    "night",
    "version",
    "status",
    "votes",
    "judgements",
    "rejected shown",
    "wanted share",
    "precision@5",
    *FIGURES,
    "latency",
    "seconds",
)
LEGEND = """
rejected shown      rejected words on the voted queries: before the first night → with this version
wanted share        on the test sentences that are no control; gap closed: of what was missing to 1
precision@5         share of the best five words there that are wanted
unwanted@10         change of unwanted words among the best ten there; control: change of its wanted share
perplexity, top 10 kept, drift (nats), latency   against the model before the first night
"""


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """Return the nights, with the reasons why versions were not promoted."""
    cells = [line for row in rows for line in _lines(row)]
    text = aligned(HEADER, cells, numbers=[name for name in HEADER if name not in ("version", "status")])
    others = [row for row in rows if row["status"] in ("rejected", "skipped")]
    reasons = [f"Night {row['night']}: {row['sentence']}\n" for row in others]
    return "\n".join([text, LEGEND, *(["".join(reasons)] if reasons else [])])


def _lines(row: dict[str, Any]) -> Iterator[list[Any]]:
    """Return the rows of one night: its challenger if that was rejected, and the champion after it."""
    night, serving, is_rejected = row["night"], row["serving"], row["status"] == "rejected"
    judged = row["challenger"] if is_rejected else serving
    version = row["version"] if is_rejected else serving["version"]
    counts = row.get("votes", 0), row.get("judgements", 0)
    cost = _latency(row), row.get("seconds", "")
    yield [night, version, row["status"], *counts, *_figures(judged), *cost]
    if is_rejected:
        yield [night, serving["version"], "still serves", "", "", *_figures(serving), "", ""]


def _figures(figures: dict[str, Any]) -> list[str]:
    voted = figures["voted"]
    main = figures["main"]
    return [
        f"{voted['rejected_before']} → {voted['rejected_after']}",
        *("–" if main[name] is None else f"{main[name]:.3f}" for name in ("wanted_share", "precision_at_5")),
        *("–" if figures[name] is None else form.format(figures[name]) for name, form in FIGURES.values()),
    ]


def _latency(row: dict[str, Any]) -> str:
    ratio = row.get("latency_ratio")
    return "" if ratio is None else f"× {ratio:.2f}"
