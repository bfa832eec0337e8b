"""Digests of any night."""

from fuzz.hostile import long_texts
from fuzz.targets import target
from fuzz.text_targets import NOON, runs
from support.discord_reader import read

from bot.embeds import replies
from bot.features.digest import Fresh, digest
from storage.runs import Run
from storage.votes.approval import Totals


@target(
    "digests",
    checked="within Discord's limits, and no markup or mention is active",
    inputs=5_000,
    run=runs,
    sentence=long_texts,
)
def summed_up(run: Run, sentence: str) -> None:
    fresh = Fresh(Totals(3, 2, 1), NOON)
    said = digest(run, fresh, version="v0008", sentence=sentence, figure=sentence)
    assert len(said) <= replies.MAX_DESCRIPTION
    assert read(said)[1] == []
