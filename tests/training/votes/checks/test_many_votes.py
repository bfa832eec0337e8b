"""Twenty thousand votes through polars, compared with the same rules in plain Python."""

import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from benchmarks.votes import AS_OF, fill

from training.votes.aggregation import aggregate_votes, decay_weights
from training.votes.checks.report import ChecksReport
from training.votes.checks.vote_spool import PartSpool
from training.votes.checks.votes import run_checks
from training.votes.retraining_set import build

PREVIOUS = AS_OF - timedelta(days=20)
Item = tuple[str, int, str]
LATEST = """
    SELECT query_hash, mask_index, word, voter_id, value, julianday(?) - julianday(cast_at)
    FROM votes JOIN predictions ON prediction_id = predictions.id
    WHERE word != 'ugly' ORDER BY via != 'reaction', cast_at, prediction_id
"""


def test_the_checks_do_what_the_rules_say(tmp_path: Path) -> None:
    path = tmp_path / "fillbot.db"
    fill(path, 20_000)
    report = run_checks(
        f"sqlite+aiosqlite:///{path}", tmp_path / "uptrain", as_of=AS_OF, min_voters=2, denied=["ugly"]
    )
    with sqlite3.connect(path) as connection:
        rows = connection.execute(LATEST, (AS_OF.strftime("%Y-%m-%d %H:%M:%S"),)).fetchall()
    connection.close()
    latest = {((h, mask, word), voter): (value, age) for h, mask, word, voter, value, age in rows}
    items: dict[Item, int] = {item: n for n, item in enumerate(sorted({item for item, _ in latest}))}
    voters = {voter: n for n, voter in enumerate(sorted({voter for _, voter in latest}))}
    consensus = aggregate_votes(
        [items[item] for item, _ in latest],
        [voters[voter] for _, voter in latest],
        [value for value, _ in latest.values()],
        age_weights=decay_weights([age for _, age in latest.values()]),
        min_voters=2,
    )
    expected = {
        item: (consensus.up[n], consensus.down[n], consensus.voters[n])
        for item, n in items.items()
        if consensus.judged[n]
    }
    found = {(j.query_hash, j.mask_index, j.word): (j.up, j.down, j.voters) for j in report.judgements}
    assert len(found) > 1000
    assert found.keys() == expected.keys()
    assert all(found[item] == pytest.approx(expected[item], rel=1e-4) for item in expected)
    assert report.reliability == {
        voter: pytest.approx(consensus.reliability[n], rel=1e-4) for voter, n in voters.items()
    }
    assert (report.votes, report.voters) == (20_000, 200)
    assert report.rejected.keys() == {"denied word"}
    # One in ten people votes by chance.
    assert all((report.reliability[v] < 0.7) == (v % 10 == 0) for v in voters)


@pytest.mark.parametrize("parts", [2, 7])
def test_in_parts_the_checks_find_the_same(tmp_path: Path, parts: int) -> None:
    path = tmp_path / "fillbot.db"
    fill(path, 20_000)

    def checked(part_votes: int) -> ChecksReport:
        return run_checks(
            f"sqlite+aiosqlite:///{path}",
            tmp_path / "uptrain",
            as_of=AS_OF,
            previous_as_of=PREVIOUS,
            min_voters=2,
            denied=["ugly"],
            part_votes=part_votes,
        )

    whole, pieces = checked(20_000), checked(20_000 // parts)
    assert whole.edge_cases
    assert whole.drift["divergence"]
    assert pieces.to_json() == whole.to_json()
    assert pieces.reliability == pytest.approx(whole.reliability, abs=1e-9)
    for one, other in zip(pieces.judgements, whole.judgements, strict=True):
        assert (one.query_hash, one.mask_index, one.word) == (other.query_hash, other.mask_index, other.word)
        assert (one.up, one.down, one.weight) == pytest.approx((other.up, other.down, other.weight), abs=1e-9)
    sets = [build(report.judgements, held_out_share=0.1) for report in (whole, pieces)]
    assert sets[0].hash == sets[1].hash


def test_parts_are_ranges_of_hashes_that_leave_nothing_out(tmp_path: Path) -> None:
    hashes = ["00000000ff", "55555554", "55555555", "55555556", "aaaaaaaa", "aaaaaaab", "ffffffff", "7"]
    votes = pl.DataFrame({"query_hash": hashes, "value": range(len(hashes))})
    with contextlib.closing(PartSpool(tmp_path, 3)) as spool:
        for _ in range(2):
            spool.add(votes)
        parts = [sorted(spool.read(number)["query_hash"].to_list()) for number in range(3)]
        assert not list(tmp_path.iterdir()), "the file has no name"
    assert parts[0] == sorted(2 * ["00000000ff", "55555554", "55555555", "7"])
    assert parts[1] == sorted(2 * ["55555556", "aaaaaaaa"])
    assert parts[2] == sorted(2 * ["aaaaaaab", "ffffffff"])


def test_a_part_without_votes_is_empty(tmp_path: Path) -> None:
    with contextlib.closing(PartSpool(tmp_path, 2)) as spool:
        assert not len(spool.read(1))
