"""Two versions answer together, over the wire: what people see and what is stored, and how a proof ends."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import update
from support.people import Json, Person
from support.run_rows import stored_run
from support.wire import Wire, best_words, eventually, fields_of, wired

from bot.answering import query_handler
from bot.errors import BusyError
from bot.proof.watch import Limits
from bot.runs.training_runs import RunEnd
from storage import runs as run_records
from storage.people.forgetting import erase_person
from storage.runs import Run
from storage.schema import runs
from storage.votes.predictions import StoredVote, cast_votes
from training.inference.joint_filling import Unsaid
from training.inference.session import Answered

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHAMPION, CHALLENGER = "v0001", "v0002"
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A bot on which proofs are wanted; nothing checks them but the tests."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with wired(
        home, promotion="proof", rollback_check_every_s=3600, report_channel_id=None, min_voters=1
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def proof(wire: Wire) -> AsyncIterator[Run]:
    """An open proof whose challenger is loaded; v0001 serves again afterwards."""
    run = await proving_run(wire)
    await until_answering(wire, CHALLENGER)
    yield run
    await run_records.end_proofs(wire.app.database, "rejected")
    wire.app.registry.promote(CHAMPION)
    await wire.app.follower.follow_champion(again=True)
    await until_answering(wire, None)


async def proving_run(wire: Wire, *, challenger: str = CHALLENGER, champion: str = CHAMPION) -> Run:
    """What a run leaves whose version is to be proved."""
    return await stored_run(wire.app.database, "nightly", "proving", champion=champion, challenger=challenger)


async def until_answering(wire: Wire, version: str | None) -> None:
    """Wait until this version answers together with the champion, or none does."""

    async def is_so() -> bool:
        challenger = wire.app.follower.predictor.challenger
        return (challenger.version if challenger else None) == version

    await eventually(is_so)


async def ask(wire: Wire, person: Person, text: str = "") -> Json:
    """Ask about a new sentence."""
    return await wire.say(person, f"!fill {text or f'run {next(_numbers)} shoes are [MASK]'}")


async def won(wire: Wire, person: Person, reply: Json, *, by: str) -> bool:
    """Vote for a word that only one version brought. False: both brought all words."""
    row = await wire.row(reply)
    words = [one["word"] for one in row["candidates"] if one["model_version"] == by]
    if not words:
        return False
    vote = StoredVote(row["id"], 0, words[0], person.id, "menu", 1, datetime.now(UTC))
    await cast_votes(wire.app.database, [vote])
    return True


async def win(wire: Wire, person: Person, times: int, *, by: str = CHALLENGER) -> None:
    """Let a version win this many answers."""
    while times:
        times -= await won(wire, person, await ask(wire, person), by=by)


async def status_of(wire: Wire, run: Run) -> str:
    now = await run_records.get_run(wire.app.database, run.id)
    assert now is not None
    return now.status


async def test_the_words_come_from_both_versions_and_each_origin_is_stored(
    wire: Wire, ann: Person, proof: Run
) -> None:
    brought: set[str] = set()
    while brought < {CHAMPION, CHALLENGER}:  # a coin decides, and some lists are nearly the same
        text = f"my run {next(_numbers)} boots are [MASK]"
        reply = await ask(wire, ann, text)
        row = await wire.row(reply)
        own = {version: best_words(wire, version, f"{text}.")[:5] for version in (CHAMPION, CHALLENGER)}
        origins = {one["word"]: one["model_version"] for one in row["candidates"]}
        assert len(origins) == 5
        assert all(word in own[version or CHAMPION] for word, version in origins.items())
        assert "v0001 + v0002" in reply["embeds"][0]["footer"]["text"]
        brought |= {version for version in origins.values() if version}


async def test_one_version_brings_all_words_of_several_blanks(wire: Wire, ann: Person, proof: Run) -> None:
    brought = set()
    while brought < {CHAMPION, CHALLENGER}:
        row = await wire.row(await ask(wire, ann, f"[MASK] and [MASK] boots {next(_numbers)}"))
        versions = {one["model_version"] for one in row["candidates"]}
        assert versions == {row["model_version"]}
        brought |= versions


async def test_a_reply_that_votes_adjust_is_the_champions(wire: Wire, ann: Person, proof: Run) -> None:
    text = f"run {next(_numbers)} shoes are [MASK]"
    row = await wire.row(await ask(wire, ann, text))
    word = row["candidates"][0]["word"]
    await cast_votes(
        wire.app.database, [StoredVote(row["id"], 0, word, ann.id, "menu", -1, datetime.now(UTC))]
    )
    again = await wire.row(await ask(wire, ann, text))
    assert {one["model_version"] for one in again["candidates"]} == {None}
    assert word not in [one["word"] for one in again["candidates"]]


async def test_both_versions_keep_to_the_denied_words(wire: Wire, ann: Person, proof: Run) -> None:
    text = f"run {next(_numbers)} shoes are [MASK]"
    best = {word for one in (CHAMPION, CHALLENGER) for word in best_words(wire, one, f"{text}.")[:5]}
    await wire.app.follower.predictor.deny(best)
    try:
        row = await wire.row(await ask(wire, ann, text))
    finally:
        await wire.app.follower.predictor.deny(())
    assert best.isdisjoint(one["word"] for one in row["candidates"])


async def test_under_load_the_champion_answers_alone(
    wire: Wire, ann: Person, proof: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_handler, "MAX_WAITING", -1)
    row = await wire.row(await ask(wire, ann))
    assert {one["model_version"] for one in row["candidates"]} == {None}


@pytest.mark.parametrize("error", [RuntimeError("no memory"), BusyError(), asyncio.CancelledError()])
async def test_a_challenger_that_fails_or_stops_costs_no_answer(
    wire: Wire, ann: Person, proof: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    challenger = wire.app.follower.predictor.challenger
    assert challenger is not None
    monkeypatch.setattr(challenger.predictor._session, "fill", fail)
    reply = await ask(wire, ann)
    assert "v0001 ·" in reply["embeds"][0]["footer"]["text"]


async def test_a_proof_that_ends_before_the_second_search_costs_no_answer(
    wire: Wire, ann: Person, proof: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, now = f"run {next(_numbers)} [MASK] shoes are [MASK]", datetime.now(UTC)
    challenger = wire.app.follower.predictor.challenger
    assert challenger is not None
    second, searches = challenger.predictor, []
    row = await wire.row(await ask(wire, ann, text))
    first_words = {one.words[0] for one in (await second.predict(f"{text}.")).sentences}
    rejected = [StoredVote(row["id"], 0, word, ann.id, "suggestion", -1, now) for word in first_words]
    await cast_votes(wire.app.database, rejected)
    fill = second._session.fill

    async def end_before(text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        searches.append(text)
        await second.close()
        return await fill(text, unsaid, masks=masks)

    monkeypatch.setattr(second._session, "fill", end_before)
    async with asyncio.timeout(20):
        reply = await ask(wire, ann, text)
    assert searches == [f"{text}."]
    assert "v0001 ·" in reply["embeds"][0]["footer"]["text"]


async def test_model_says_that_two_versions_answer(wire: Wire, ann: Person, proof: Run) -> None:
    notes = fields_of(await wire.say(ann, "!model")).values()
    assert any("Two versions answer" in note and "v0001 and v0002" in note for note in notes)


async def test_model_says_so_where_the_challenger_is_not_loaded(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await proving_run(wire, challenger="v0009")
    notes = fields_of(await wire.say(ann, "!model")).values()
    assert any(note.startswith("v0009 should answer together with v0001") for note in notes)
    assert await wire.app.proof.check() == "lost"
    assert await status_of(wire, run) == "rejected"


async def test_the_challenger_is_promoted_once_votes_prove_it(wire: Wire, ann: Person, proof: Run) -> None:
    await win(wire, ann, 8)
    assert await wire.app.proof.check() is None
    await win(wire, ann, 12)
    assert await wire.app.proof.check() == "promote"
    assert wire.app.registry.champion() == wire.app.follower.predictor.version == CHALLENGER
    assert await status_of(wire, proof) == "promoted"
    row = await run_records.latest(wire.app.database, "promote")
    assert row is not None
    assert ((row.report or {})["by"], row.challenger) == (run_records.PROOF, CHALLENGER)
    score = await wire.app.proof.score(proof)
    said = f"People's votes preferred v0002 to v0001 in 100% of {score.decided} answers, at least "
    for command in ("!model", "!report v0002"):
        assert any(note.startswith(said) for note in fields_of(await wire.say(ann, command)).values())


async def test_the_champion_stays_if_people_prefer_its_words(wire: Wire, ann: Person, proof: Run) -> None:
    await win(wire, ann, 20, by=CHAMPION)
    assert await wire.app.proof.check() == "keep"
    assert (wire.app.registry.champion(), await status_of(wire, proof)) == (CHAMPION, "rejected")


async def test_one_person_cannot_decide_where_several_are_needed(
    wire: Wire, ann: Person, proof: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.app.proof, "_limits", Limits(min_voters=2, most=1000, days=14))
    await win(wire, ann, 22)
    assert await wire.app.proof.check() is None
    assert (await wire.app.proof.score(proof)).decided == 1


async def test_forgetting_a_voter_takes_their_answers_from_the_score(
    wire: Wire, ann: Person, bob: Person, proof: Run
) -> None:
    await win(wire, ann, 3)
    await win(wire, bob, 2, by=CHAMPION)
    assert (await wire.app.proof.score(proof)).wins == 3
    await erase_person(wire.app.database, ann.id, since=None, now=datetime.now(UTC))
    score = await wire.app.proof.score(proof)
    assert (score.wins, score.losses) == (0, 2)


async def test_a_proof_stops_at_its_last_day(wire: Wire, proof: Run) -> None:
    began = datetime.now(UTC) - timedelta(days=15)
    async with wire.app.database.write() as connection:
        await connection.execute(update(runs).where(runs.c.id == proof.id).values(finished_at=began))
    assert await wire.app.proof.check() == "stop"
    assert (wire.app.registry.champion(), await status_of(wire, proof)) == (CHAMPION, "rejected")


async def test_another_champion_ends_the_proof(
    wire: Wire, proof: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notice is about this proof, not about the champion that an earlier decision kept."""
    noticed: list[Run] = []

    async def note(_sentence: str, *, run: Run) -> None:
        noticed.append(run)

    monkeypatch.setattr(wire.app.reports, "post_notice", note)
    earlier = await proving_run(wire, challenger="v0003")
    await run_records.keep_champion(
        wire.app.database, earlier.id, champion=CHAMPION, now=datetime.now(UTC), report={"by": "test"}
    )
    wire.app.registry.promote("v0003")
    await until_answering(wire, None)
    assert await wire.app.proof.check() == "other_champion"
    assert [run.id for run in noticed] == [proof.id]
    assert (wire.app.registry.champion(), await status_of(wire, proof)) == ("v0003", "rejected")


async def verdict_of(wire: Wire, person: Person, run: Run) -> Json:
    """Post the verdict of a run, and return it once the database knows where it is."""
    since = person.mark()
    await wire.app.reports._announcements.post(
        "verdict", RunEnd(run, "It passed."), channel_id=wire.channel_id, guild_id=wire.sandbox.guild_id
    )
    return await person.wait_for_event(
        "MESSAGE_CREATE", predicate=lambda body: f"Run {run.id} · " in str(body["embeds"]), since=since
    )


async def without_buttons(person: Person, message: Json) -> Json:
    return await person.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and not body["components"]
    )


async def test_the_verdict_loses_its_buttons_when_votes_have_decided(
    wire: Wire, ann: Person, proof: Run
) -> None:
    message = await verdict_of(wire, ann, proof)
    assert message["components"]
    await win(wire, ann, 20, by=CHAMPION)
    assert await wire.app.proof.check() == "keep"
    after = await without_buttons(ann, message)
    assert after["embeds"][0]["description"] == message["embeds"][0]["description"]


async def test_the_verdict_of_a_replaced_challenger_loses_its_buttons(
    wire: Wire, ann: Person, proof: Run
) -> None:
    message = await verdict_of(wire, ann, proof)
    await proving_run(wire, challenger="v0003")
    assert await wire.app.proof.check() is None
    await without_buttons(ann, message)


async def test_a_newer_version_replaces_the_challenger(wire: Wire, proof: Run) -> None:
    newer = await proving_run(wire, challenger="v0003")
    await until_answering(wire, "v0003")
    assert await wire.app.proof.check() is None
    assert (await status_of(wire, proof), await status_of(wire, newer)) == ("rejected", "proving")


async def test_a_crash_after_the_promotion_leaves_nothing_half_done(
    wire: Wire, ann: Person, proof: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pointer moves first; the next check finds that it has."""

    async def crash(*_: object) -> None:
        raise KeyboardInterrupt

    await win(wire, ann, 20)
    with monkeypatch.context() as patch:
        patch.setattr(run_records, "decide", crash)
        with pytest.raises(KeyboardInterrupt):
            await wire.app.proof.check()
    assert (wire.app.registry.champion(), await status_of(wire, proof)) == (CHALLENGER, "proving")
    assert await wire.app.proof.check() == "promote"
    assert await status_of(wire, proof) == "promoted"
    assert await wire.app.proof.figure(CHALLENGER) is not None


async def test_a_restart_goes_on_with_the_proof(home: Path) -> None:
    async with wired(home, promotion="proof", rollback_check_every_s=3600) as wire, wire.member() as ann:
        run = await proving_run(wire)
        await until_answering(wire, CHALLENGER)
        await win(wire, ann, 3)
    async with wired(home, promotion="proof", rollback_check_every_s=3600) as wire, wire.member() as ann:
        await until_answering(wire, CHALLENGER)
        await win(wire, ann, 2)
        assert (await wire.app.proof.score(run)).wins == 5


async def test_without_proofs_an_open_one_is_left_to_an_admin(home: Path) -> None:
    async with wired(home, promotion="proof", rollback_check_every_s=3600) as wire:
        run = await proving_run(wire)
    async with wired(home) as wire:

        async def waits() -> bool:
            return await status_of(wire, run) == "waiting"

        await eventually(waits)
        assert wire.app.follower.predictor.challenger is None


async def test_a_withdrawn_challenger_stops_answering(wire: Wire, proof: Run) -> None:
    """The last test: a version stays withdrawn."""
    wire.app.registry.withdraw([CHALLENGER])
    await until_answering(wire, None)
    assert await wire.app.proof.check() == "lost"
    assert (wire.app.registry.champion(), await status_of(wire, proof)) == (CHAMPION, "rejected")
