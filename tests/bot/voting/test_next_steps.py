"""The line after a choice in a menu says what really happens next with these words."""

from pathlib import Path
from typing import Any

import pytest
from support.ballots import NOON, ask, minutes, vote
from support.wire import settings_for

from bot.voting.next_steps import NextSteps
from storage import runs
from storage.database import Database

SOFT, UGLY = (0, "comfortable"), (0, "ugly")
NEEDS = {"min_voters": 2, "min_judgements": 1, "vote_half_life_days": 36_500}


async def line(
    database: Database, home: Path, prediction: int, *words: tuple[int, str], weight: float = 1.0, **more: Any
) -> str:
    steps = NextSteps(database, settings_for(home, **{**NEEDS, **more}), prefix=lambda: "/")
    return await steps.after(prediction, words, weight=weight)


@pytest.fixture
async def agreed(database: Database) -> int:
    """A prediction on which two people agree about one word, and one voted on another."""
    prediction = await ask(database)
    for voter in (7, 8):
        await vote(database, prediction, "comfortable", 1, by=voter)
    await vote(database, prediction, "ugly", -1, by=7)
    return prediction


async def test_a_vote_that_counts_shows_at_once_and_tonight(
    database: Database, tmp_path: Path, agreed: int
) -> None:
    text = await line(database, tmp_path, agreed, SOFT)
    assert (
        text
        == "Ask again to see it. Your votes reach other sentences tonight, if the new model passes its tests."
    )


async def test_a_vote_waits_for_a_second_person(database: Database, tmp_path: Path, agreed: int) -> None:
    text = await line(database, tmp_path, agreed, UGLY)
    assert text == "It counts once 2 people have rated the word and agree."


async def test_some_of_the_words_wait(database: Database, tmp_path: Path, agreed: int) -> None:
    text = await line(database, tmp_path, agreed, SOFT, UGLY)
    assert text.startswith("Ask again to see it; some of these words still wait")


async def test_people_disagree(database: Database, tmp_path: Path, agreed: int) -> None:
    await vote(database, agreed, "ugly", 1, by=8)
    text = await line(database, tmp_path, agreed, UGLY)
    assert text == "It does not count yet, because people disagree."


async def test_too_few_judged_words_for_a_night(database: Database, tmp_path: Path, agreed: int) -> None:
    """There are three votes, and one word on which two people agree."""
    text = await line(database, tmp_path, agreed, SOFT, min_judgements=2)
    assert text.endswith("Your votes reach other sentences at night, once people agree on 2 words.")


async def test_nightly_promotion_is_paused(database: Database, tmp_path: Path, agreed: int) -> None:
    run = await runs.open_run(database, "rollback", started_at=NOON, champion="v0002", challenger="v0001")
    await runs.finish_run(database, run, "done", finished_at=NOON)
    text = await line(database, tmp_path, agreed, SOFT)
    assert text.endswith("Your votes reach other sentences once nightly promotion is on again (`/resume`).")


async def test_a_proof_decides(database: Database, tmp_path: Path, agreed: int) -> None:
    text = await line(database, tmp_path, agreed, SOFT, promotion="proof")
    assert text.endswith("Your votes reach other sentences once a new model has proved to be better.")


async def test_an_admin_promotes_by_hand(database: Database, tmp_path: Path, agreed: int) -> None:
    text = await line(database, tmp_path, agreed, SOFT, promotion="ask")
    assert text.endswith("Your votes reach other sentences once an admin promotes a new model.")
    text = await line(database, tmp_path, agreed, SOFT, word_lists="off")
    assert text.endswith("Your votes reach other sentences once an admin promotes a new model.")


async def test_a_role_without_weight_changes_nothing(database: Database, tmp_path: Path, agreed: int) -> None:
    text = await line(database, tmp_path, agreed, SOFT, weight=0.0)
    assert text.startswith("Your role's votes have no weight")


async def test_votes_on_personal_data_do_not_count(database: Database, tmp_path: Path) -> None:
    prediction = await ask(database, "mail [email] that shoes are [MASK].")
    assert "personal data" in await line(database, tmp_path, prediction, SOFT)


async def test_a_withdrawal_needs_no_line(database: Database, tmp_path: Path, agreed: int) -> None:
    assert await line(database, tmp_path, agreed) == ""


async def test_a_suggestion_that_counts_says_when_other_sentences_change(
    database: Database, tmp_path: Path, agreed: int
) -> None:
    steps = NextSteps(database, settings_for(tmp_path, **NEEDS), prefix=lambda: "/")
    text = await steps.after(agreed, [SOFT], weight=1.0, is_suggestion=True)
    assert text == "Your votes reach other sentences tonight, if the new model passes its tests."


async def test_that_there_are_enough_words_is_kept_for_a_minute_and_no_longer(
    database: Database, tmp_path: Path, agreed: int
) -> None:
    now = [0.0]
    settings = settings_for(tmp_path, **{**NEEDS, "min_judgements": 2})
    steps = NextSteps(database, settings, prefix=lambda: "/", clock=lambda: now[0])
    assert "once people agree on 2 words" in await steps.after(agreed, [SOFT], weight=1.0)
    await vote(database, agreed, "ugly", -1, by=8)
    assert "tonight" in await steps.after(agreed, [SOFT], weight=1.0)
    await vote(database, agreed, "ugly", 1, by=8, at=minutes(9))
    assert "tonight" in await steps.after(agreed, [SOFT], weight=1.0)
    now[0] = 61.0
    assert "once people agree on 2 words" in await steps.after(agreed, [SOFT], weight=1.0)
