"""The real CheckSet over votes in a real database."""

import asyncio
import json
import math
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from support.ballots import NOON, QUERY, ask, hash_of, minutes, vote

from storage.database import Database
from storage.schema import candidates, people
from storage.votes.standing import Value
from training.votes.aggregation import Judgement
from training.votes.checks.report import ChecksReport
from training.votes.checks.votes import run_checks

OTHER = "The boots were [MASK]."
Casting = Callable[[Database], Awaitable[None]]


class Polls:
    """A database to fill, and the checks over it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def cast(self, casting: Casting) -> None:
        async def work() -> None:
            database = await Database.open(self.url)
            await casting(database)
            await database.close()

        asyncio.run(work())

    def checked(
        self,
        *,
        min_voters: int = 1,
        minute: float = 60,
        denied: tuple[str, ...] = (),
        half_life_days: float = 1e6,  # votes that hardly age give round numbers
        previous_minute: float | None = None,
    ) -> ChecksReport:
        return run_checks(
            self.url,
            self.folder,
            as_of=minutes(minute),
            min_voters=min_voters,
            denied=list(denied),
            half_life_days=half_life_days,
            previous_as_of=None if previous_minute is None else minutes(previous_minute),
        )


@pytest.fixture
def polls(database_url: str, tmp_path: Path) -> Polls:
    return Polls(database_url, tmp_path / "runs" / "00001" / "uptrain")


def facts_of(report: ChecksReport) -> list[tuple[str, str, float, float]]:
    return [(j.query, j.word, round(j.up, 3), round(j.down, 3)) for j in report.judgements]


def test_no_votes_at_all(polls: Polls) -> None:
    assert polls.checked() == ChecksReport(judgements=[])


def test_votes_become_judgements(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        first, second = await ask(database), await ask(database, OTHER)
        await vote(database, first, "cheap", -1, by=1)
        await vote(database, first, "cheap", -1, by=2)
        await vote(database, second, "ugly", 1, by=1)

    polls.cast(casting)
    report = polls.checked()
    assert (report.votes, report.voters, report.rejected) == (3, 2, {})
    by_word = {j.word: j for j in report.judgements}
    cheap, ugly = by_word["cheap"], by_word["ugly"]
    assert (cheap.query, cheap.query_hash, cheap.mask_index) == (QUERY, hash_of(QUERY), 0)
    assert (cheap.is_wanted, cheap.up, cheap.voters) == (False, 0.0, 2)
    assert (ugly.is_wanted, ugly.down, ugly.voters) == (True, 0.0, 1)
    assert report.to_json()["judgements"] == 2


def test_votes_count_by_their_weight_and_voters_by_heads(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        first, other = await ask(database), await ask(database, OTHER)
        await vote(database, first, "cheap", 1, by=1, weight=3.0)
        await vote(database, first, "cheap", -1, by=2)
        await vote(database, other, "cheap", 1, by=1, weight=5.0)

    polls.cast(casting)
    (judgement,) = polls.checked(min_voters=2).judgements
    assert (judgement.query, judgement.voters) == (QUERY, 2)
    assert judgement.up > 2 * judgement.down > 0


def test_a_word_counts_when_enough_people_voted_on_it(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database)
        for voter in (1, 2):
            await vote(database, prediction_id, "cheap", -1, by=voter)
        await vote(database, prediction_id, "ugly", -1, by=1)

    polls.cast(casting)
    assert [j.word for j in polls.checked(min_voters=2).judgements] == ["cheap"]
    assert polls.checked(min_voters=3).judgements == []


def test_votes_that_cancel_out_give_no_judgement(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database)
        await vote(database, prediction_id, "cheap", -1, by=1)
        await vote(database, prediction_id, "cheap", 1, by=2)

    polls.cast(casting)
    report = polls.checked()
    assert report.judgements == []
    assert report.votes == 2


def test_asking_a_hundred_times_does_not_vote_a_hundred_times(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        for minute in range(5):
            prediction_id = await ask(database)
            await vote(database, prediction_id, "cheap", 1, by=1, at=minutes(minute))
        await vote(
            database, await ask(database), "cheap", -1, by=1, at=minutes(7)
        )  # and then thought better of it

    polls.cast(casting)
    assert facts_of(polls.checked()) == [(QUERY, "cheap", 0.0, 1.0)]


def test_later_votes_do_not_count_yet(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        for minute, value in ((0, 1), (30, -1)):
            prediction_id = await ask(database)
            await vote(database, prediction_id, "cheap", value, by=1, at=minutes(minute))  # type: ignore[arg-type]

    polls.cast(casting)
    assert facts_of(polls.checked(minute=10)) == [(QUERY, "cheap", 1.0, 0.0)]
    assert facts_of(polls.checked(minute=30)) == [(QUERY, "cheap", 0.0, 1.0)]


@pytest.mark.parametrize("via", ["menu", "suggestion"])
def test_a_deliberate_vote_beats_a_later_thumb(polls: Polls, via: str) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database)
        await vote(database, prediction_id, "cheap", -1, by=1, via=via, at=minutes(0))  # type: ignore[arg-type]
        await vote(database, prediction_id, "cheap", 1, by=1, via="reaction", at=minutes(5))

    polls.cast(casting)
    assert facts_of(polls.checked()) == [(QUERY, "cheap", 0.0, 1.0)]


def test_a_hundred_repeats_of_one_question_weigh_as_one(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        for voter in (1, 2, 3):
            await vote(database, await ask(database, OTHER), "cheap", 1, by=voter)
        await vote(database, await ask(database), "cheap", 1, by=2)
        for minute in range(100):
            await vote(database, await ask(database), "cheap", -1, by=1, at=minutes(minute / 2))

    polls.cast(casting)
    assert [(j.query, j.up > 0, j.down) for j in polls.checked().judgements] == [(OTHER, True, 0.0)]


def test_votes_age(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        for voter in range(4):  # so that no voter exceeds the cap
            prediction_id = await ask(database, f"{voter} is [MASK].")
            await vote(database, prediction_id, "cheap", 1, by=voter, at=minutes(15 * voter))

    polls.cast(casting)
    ups = [j.up for j in polls.checked(minute=45, half_life_days=15 / 1440).judgements]
    # No voter may hold more than 30 %: of 1, 1/2, 1/4 and 1/8 both of the latest come down, to 9/32.
    weights = sorted(up for up in ups)
    assert weights[2] == pytest.approx(weights[3])
    assert weights[1] == pytest.approx(2 * weights[0], rel=0.1)
    assert max(ups) == pytest.approx(0.3 * sum(ups))


def test_a_very_old_vote_does_not_count(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "cheap", 1, by=1, at=minutes(0))
        await vote(database, await ask(database, OTHER), "cheap", 1, by=2, at=minutes(58))

    polls.cast(casting)
    assert facts_of(polls.checked(minute=58, half_life_days=5 / 1440)) == [(OTHER, "cheap", 1.0, 0.0)]


def test_the_time_zone_of_the_run_does_not_matter(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "cheap", 1, by=1)

    polls.cast(casting)
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    report = run_checks(
        polls.url,
        polls.folder,
        as_of=minutes(60).astimezone(kathmandu),
        min_voters=1,
        denied=[],
        half_life_days=1e6,
        previous_as_of=minutes(30).astimezone(kathmandu),
    )
    assert report == polls.checked(previous_minute=30)


def test_masks_are_judged_apart(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database, "[MASK] boots are [MASK].", masks=2)
        await vote(database, prediction_id, "cheap", 1, by=1, mask_index=0)
        await vote(database, prediction_id, "cheap", -1, by=1, mask_index=1)

    polls.cast(casting)
    assert [(j.mask_index, j.is_wanted) for j in polls.checked().judgements] == [(0, True), (1, False)]


def test_who_opted_out_is_not_heard(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database)
        await vote(database, prediction_id, "cheap", 1, by=1)
        await vote(database, prediction_id, "ugly", 1, by=2)
        async with database.write() as connection:
            await connection.execute(insert(people), {"user_id": 2, "opted_out_at": NOON})

    polls.cast(casting)
    assert [j.word for j in polls.checked().judgements] == ["cheap"]


def test_ids_of_64_bits_stay_apart(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database)
        for voter in (2**63 - 1, 2**63 - 2):  # the same number as a float
            await vote(database, prediction_id, "cheap", 1, by=voter)

    polls.cast(casting)
    (judgement,) = polls.checked(min_voters=2).judgements
    assert judgement.voters == 2


@pytest.mark.parametrize(
    ("query", "word", "score", "flag"),
    [
        ("No blank here.", "cheap", 0.1, "no mask"),
        ("[MASK] [MASK]!", "cheap", 0.1, "only masks"),
        ("x [MASK] y.", "cheap", 0.1, "only masks"),
        (f"{'very ' * 400}[MASK].", "cheap", 0.1, "too long"),
        ("See https://example.org for [MASK].", "cheap", 0.1, "link or mention"),
        ("Tell <@123> they are [MASK].", "cheap", 0.1, "link or mention"),
        ("Write to [email] for [MASK].", "cheap", 0.1, "personal data"),
        ("Call [phone] for [MASK].", "cheap", 0.1, "personal data"),
        ("Order [number] is [MASK].", "cheap", 0.1, "personal data"),
        ("Ask [mention] if it is [MASK].", "cheap", 0.1, "personal data"),
        (QUERY, "##able", 0.1, "not a word"),
        (QUERY, "42", 0.1, "not a word"),
        (QUERY, ".", 0.1, "not a word"),
        (QUERY, "two words", 0.1, "not a word"),
        (QUERY, "Awful", 0.1, "denied word"),
        (QUERY, "cheap", 1.5, "bad score"),
        (QUERY, "cheap", -0.1, "bad score"),
    ],
)
def test_a_vote_is_flagged_with_the_first_rule_it_breaks(
    polls: Polls, query: str, word: str, score: float, flag: str
) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database, query, words=((word, score),)), word, 1, by=1)
        await vote(database, await ask(database, OTHER), "durable", 1, by=1)  # and a good one

    polls.cast(casting)
    report = polls.checked(denied=("aWFUL",))
    assert report.rejected == {flag: 1}
    assert [j.word for j in report.judgements] == ["durable"]
    assert report.votes == 2


@pytest.mark.parametrize("word", ["cheap", "good-looking", "don't", "l’été", "überraschend", "a"])
def test_a_good_vote_is_not_flagged(polls: Polls, word: str) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database, words=((word, 0.0),)), word, 1, by=1)
        await vote(database, await ask(database, OTHER), "suggested", 1, by=1, via="suggestion")  # no score

    polls.cast(casting)
    report = polls.checked()
    assert report.rejected == {}
    assert {j.word for j in report.judgements} == {word, "suggested"}


def test_when_every_vote_is_rejected(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database, words=(("42", 0.3), ("##s", 0.2)))
        await vote(database, prediction_id, "42", 1, by=1)
        await vote(database, prediction_id, "##s", 1, by=2)

    polls.cast(casting)
    report = polls.checked()
    assert (report.judgements, report.votes, report.rejected) == ([], 2, {"not a word": 2})
    assert (report.edge_cases, report.approval, report.reliability) == ({}, [], {})


@pytest.mark.parametrize(
    ("score", "value", "signals", "weight"),
    [
        (0.30, -1, {"confident but rejected": 1}, 2.0),
        (0.29, -1, {}, 1.0),
        (0.09, 1, {"unsure but liked": 1}, 2.0),
        (0.10, 1, {}, 1.0),
        (0.30, 1, {}, 1.0),
        (0.09, -1, {}, 1.0),
    ],
)
def test_edge_cases_weigh_twice(
    polls: Polls, score: float, value: Value, signals: dict[str, int], weight: float
) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database, words=(("cheap", score),)), "cheap", value, by=1)

    polls.cast(casting)
    report = polls.checked()
    assert report.edge_cases == signals
    assert [j.weight for j in report.judgements] == pytest.approx([weight])  # a margin of 1


def test_a_new_kind_of_query_weighs_twice_too(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "cheap", 1, by=1, at=minutes(0))
        await vote(database, await ask(database, "Adidas shoes are [MASK]."), "cheap", 1, by=1, at=minutes(9))
        await vote(database, await ask(database, "The refund was [MASK]."), "cheap", 1, by=1, at=minutes(9))

    polls.cast(casting)
    assert polls.checked().edge_cases == {}  # the first run has nothing to compare with
    report = polls.checked(previous_minute=5)
    assert report.edge_cases == {"new kind of query": 1}
    assert {j.query: round(j.weight / math.sqrt(abs(j.up - j.down)), 6) for j in report.judgements} == {
        QUERY: 1.0,
        "Adidas shoes are [MASK].": 1.0,
        "The refund was [MASK].": 2.0,
    }


def test_a_contested_word_weighs_less(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database)
        for voter, value in enumerate((1, 1, -1)):
            await vote(database, prediction_id, "cheap", value, by=voter)  # type: ignore[arg-type]

    polls.cast(casting)
    (judgement,) = polls.checked().judgements
    assert judgement.weight == pytest.approx(0.5 * math.sqrt(abs(judgement.up - judgement.down)))


def test_a_suggested_word_is_an_unsure_one(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "sturdy", 1, by=1, via="suggestion")

    polls.cast(casting)
    assert polls.checked().edge_cases == {"unsure but liked": 1}


def test_firm_judgements_weigh_more_up_to_three_times(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        first = await ask(database, words=(("cheap", 0.2),))
        for voter in range(4):
            await vote(database, first, "cheap", 1, by=voter)
        second = await ask(database, OTHER, words=(("cheap", 0.2),))
        for voter in range(100, 130):
            await vote(database, second, "cheap", 1, by=voter)

    polls.cast(casting)
    weights = {j.query: (j.weight, abs(j.up - j.down)) for j in polls.checked().judgements}
    few, many = weights[QUERY], weights[OTHER]
    assert few[0] == pytest.approx(math.sqrt(few[1]))
    assert 2.0 < few[0] < many[0]
    assert many[1] > 9
    assert many[0] == 3.0


def test_approval_of_each_version_with_its_interval(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        for version, values in (("v0001", (1, 1, 1, -1)), ("v0002", (-1,))):
            for voter, value in enumerate(values):
                prediction_id = await ask(database, f"{version} is [MASK].", model_version=version)
                await vote(database, prediction_id, "cheap", value, by=voter)  # type: ignore[arg-type]

    polls.cast(casting)
    # Wilson, z = 1.96, p = 3/4, n = 4: z² = 3.8416
    #   middle = 0.75 + 3.8416/8 = 1.2302
    #   half = 1.96 · √((0.1875 + 3.8416/16) / 4) = 1.96 · √0.106900 = 0.640834
    #   divided by 1 + 3.8416/4 = 1.9604: 0.3006 … 0.9544
    # p = 0, n = 1: middle = half = 3.8416/2, divided by 4.8416: 0 … 0.7935
    assert polls.checked().approval == [
        {"model_version": "v0001", "votes": 4, "approval": 0.75, "low": 0.3006, "high": 0.9544},
        {"model_version": "v0002", "votes": 1, "approval": 0.0, "low": 0.0, "high": 0.7935},
    ]


def test_a_vote_on_each_version_is_a_vote_on_each(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        for version, value, minute in (("v0001", -1, 0), ("v0002", 1, 1), ("v0002", 1, 2)):
            prediction_id = await ask(database, model_version=version)
            await vote(database, prediction_id, "cheap", value, by=1, at=minutes(minute))  # type: ignore[arg-type]

    polls.cast(casting)
    report = polls.checked()
    assert [(row["model_version"], row["votes"], row["approval"]) for row in report.approval] == [
        ("v0001", 1, 0.0),
        ("v0002", 1, 1.0),
    ]
    assert facts_of(report) == [(QUERY, "cheap", 1.0, 0.0)]


def test_votes_on_adjusted_replies_do_not_count_as_approval(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        adjusted, bare = await ask(database), await ask(database, OTHER)
        await vote(database, adjusted, "cheap", -1, by=1)
        await vote(database, bare, "cheap", 1, by=1)
        async with database.write() as connection:
            changed = (candidates.c.prediction_id == adjusted) & (candidates.c.word == "ugly")
            await connection.execute(update(candidates).where(changed).values(adjusted=True))

    polls.cast(casting)
    report = polls.checked()
    assert [(row["votes"], row["approval"]) for row in report.approval] == [(1, 1.0)]
    assert len(report.judgements) == 2  # but they teach


def test_drift_is_between_the_runs(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "cheap", 1, by=1, at=minutes(0))
        await vote(database, await ask(database, "The refund was [MASK]."), "cheap", 1, by=1, at=minutes(9))

    polls.cast(casting)
    drift = polls.checked(previous_minute=5).to_json()["drift"]
    assert (drift["before"], drift["since"], drift["divergence"]) == (1, 1, 1.0)
    assert [row["word"] for row in drift["grew"]] == ["refund"]
    assert polls.checked().drift["divergence"] is None


def test_a_vote_cast_again_leaves_its_query_as_old_as_it_was(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        for minute in (0, 9):
            await vote(database, await ask(database), "cheap", 1, by=1, at=minutes(minute))

    polls.cast(casting)
    drift = polls.checked(previous_minute=5).drift
    assert (drift["before"], drift["since"], drift["divergence"]) == (1, 1, 0.0)


def test_reliabilities_are_returned_but_not_reported(polls: Polls) -> None:
    odd, others = 2**63 - 1, [2**63 - 2, 2**63 - 3, 7]

    async def casting(database: Database) -> None:
        for n in range(6):
            prediction_id = await ask(database, f"{n} is [MASK].")
            for voter in (odd, *others):
                await vote(database, prediction_id, "cheap", -1 if voter == odd else 1, by=voter)

    polls.cast(casting)
    report = polls.checked()
    assert report.reliability == {
        voter: pytest.approx((0 if voter == odd else 6) / 11 + 4 / 11, abs=0.01) for voter in (odd, *others)
    }
    written = "".join(path.read_text() for path in polls.folder.iterdir())
    assert not any(str(voter) in json.dumps(report.to_json()) + written for voter in (odd, others[0]))


def test_the_environment_is_harmless_and_left_as_it_was(
    polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "cheap", 1, by=1)

    polls.cast(casting)
    monkeypatch.setenv("SEED", "abc")
    monkeypatch.setenv("MODEL", "x")
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
    before = dict(os.environ)
    assert len(polls.checked().judgements) == 1
    assert dict(os.environ) == before
    assert not any("a-secret" in path.read_text() for path in polls.folder.iterdir())


def test_neither_voters_nor_the_databases_address_are_left_in_files(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "cheap", 1, by=777_000_777)

    polls.cast(casting)
    polls.checked()
    content = "".join(path.read_text() for path in polls.folder.iterdir())
    assert "cheap" in content
    assert "777000777" not in content
    assert "sqlite" not in content


def test_checking_again_gives_the_same(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        prediction_id = await ask(database)
        for voter, (word, value) in enumerate(
            (("cheap", -1), ("ugly", -1), ("comfortable", 1), ("cheap", -1))
        ):
            await vote(database, prediction_id, word, value, by=voter)  # type: ignore[arg-type]

    polls.cast(casting)
    assert polls.checked() == polls.checked()


def test_strange_letters_and_line_ends_survive(polls: Polls) -> None:
    query = "Line\u2028end \"quoted\" 'été' 🙂 is [MASK]."

    async def casting(database: Database) -> None:
        await vote(database, await ask(database, query), "cheap", 1, by=1)

    polls.cast(casting)
    (judgement,) = polls.checked().judgements
    assert judgement.query == query


def test_the_run_of_checks_is_recorded_as_uptrain_does(polls: Polls) -> None:
    async def casting(database: Database) -> None:
        await vote(database, await ask(database), "cheap", 1, by=1)

    polls.cast(casting)
    polls.checked()
    config = json.loads((polls.folder / "config.json").read_text())
    assert [check["name"] for check in config["checks"]] == ["rejected", "cast", "approval", "queries"]
    assert isinstance(polls.checked().judgements[0], Judgement)
