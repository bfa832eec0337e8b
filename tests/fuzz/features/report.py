"""Reports on any run and version."""

from fuzz.hostile import texts
from fuzz.targets import target
from fuzz.text_targets import cards, check, runs
from hypothesis import strategies as st

from bot.embeds import replies
from bot.features.report import report_embed
from storage.runs import Run
from training.registry.card import Card


@target(
    "reports on versions",
    checked="within Discord's limits, and no markup or mention is active",
    inputs=10_000,
    run=runs,
    card=cards,
    notes=st.lists(texts.filter(str.strip), max_size=2),
)
def reported(run: Run, card: Card, notes: list[str]) -> None:
    shown = {change["query"] for change in (run.report or {}).get("changes", ())}
    check(report_embed(card, run, shown=shown, notes=[replies.escape(note) for note in notes]))
    check(report_embed(card, None, shown=shown))
