"""The report on a run follows the gate's table of criteria."""

from typing import Any

import pytest
from support.gate_measurements import PASSING
from support.versions import card

from bot.features.report import report_embed
from storage.sentences import Sentence
from training.evaluation import gate
from training.registry.publishing.model_card import model_card


@pytest.mark.parametrize(("passes", "sign"), [(True, "\u2713"), (False, "\u2717")])
def test_a_criterion_added_to_the_table_is_in_verdict_card_and_report(
    monkeypatch: pytest.MonkeyPatch, passes: bool, sign: str
) -> None:
    def colour(_measured: Any, limit: float) -> gate.Finding:
        return gate.Finding(passes, Sentence("at most {limit:g} colours are new", limit=limit))

    added = gate.Criterion("colour", 7, colour, "new colours")
    monkeypatch.setattr(gate, "CRITERIA", (*gate.CRITERIA, added))
    verdict = gate.decide(PASSING)
    assert verdict.is_promotable == passes
    assert verdict.reasons[-1] == gate.Reason("colour", passes, Sentence("at most 7 colours are new"))

    judged = card("v0004", kind="night", verdict=verdict.to_json())
    assert "at most 7 colours are new" in model_card(judged)
    (why,) = report_embed(judged, None, shown=()).fields
    (line,) = (line for line in str(why.value).splitlines() if "colours" in line)
    assert line.startswith(sign)
