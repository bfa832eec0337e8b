"""A version that waits: the buttons under its verdict, over the wire, and what an admin's decision does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from faults.hosted import hosted
from support.people import Json, Person
from support.run_rows import stored_run
from support.wire import EPHEMERAL, Wire, eventually, fields_of

from bot.runs.training_runs import RunEnd
from bot.sandbox.server import Sandbox
from storage import runs as run_records
from storage.people.forgetting import erase_person
from storage.runs import Run
from training.registry import promotion

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHAMPION, WAITING = "v0001", "v0002"


@pytest_asyncio.fixture(loop_scope="module")
async def ada(wire: Wire) -> AsyncIterator[Person]:
    """The admin; v0001 serves again afterwards."""
    async with wire.person("ada") as person:
        yield person
    wire.app.registry.promote(CHAMPION)
    await wire.app.follower.follow_champion(again=True)


@pytest_asyncio.fixture(loop_scope="module")
async def owner(wire: Wire) -> AsyncIterator[Person]:
    async with wire.person("owner") as person:
        yield person


async def waiting_run(wire: Wire, *, version: str = WAITING, champion: str = CHAMPION) -> Run:
    """What a run leaves whose version passed the gate."""
    return await stored_run(wire.app.database, "retrain", "waiting", champion=champion, challenger=version)


async def verdict(wire: Wire, person: Person, run: Run) -> Json:
    """Post the verdict of a run, and return it."""
    since = person.mark()
    await wire.app.reports._announcements.post(
        "verdict", RunEnd(run, "It passed."), channel_id=wire.channel_id, guild_id=wire.sandbox.guild_id
    )
    footer = f"Run {run.id} · retrain"
    return await person.wait_for_event(
        "MESSAGE_CREATE",
        predicate=lambda body: footer in str(body["embeds"]),
        since=since,
    )


def buttons_of(message: Json) -> dict[str, str]:
    """Label → custom id."""
    return {one["label"]: one["custom_id"] for row in message["components"] for one in row["components"]}


async def pressed(person: Person, message: Json, what: str) -> str:
    """Press a button, and return the line that only this person sees."""
    since = person.mark()
    await person.click(message, next(c for c in buttons_of(message).values() if f":{what}:" in c))
    line = await person.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
    return str(line["content"])


async def decided(person: Person, message: Json, what: str) -> Json:
    """Press a button, and return the verdict with the decision."""
    await person.click(message, next(c for c in buttons_of(message).values() if f":{what}:" in c))
    return await person.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda body: body["id"] == message["id"] and not body["components"]
    )


async def decisions(wire: Wire, trigger: str, *, since: Run) -> list[Run]:
    found, before = [], None
    while (run := await run_records.latest(wire.app.database, trigger, before_id=before)) is not None:
        before = run.id
        if run.id > since.id:
            found.append(run)
    return found


async def status_of(wire: Wire, run: Run) -> str:
    now = await run_records.get_run(wire.app.database, run.id)
    assert now is not None
    return now.status


async def test_the_verdict_of_a_waiting_version_has_three_buttons(wire: Wire, ada: Person) -> None:
    message = await verdict(wire, ada, await waiting_run(wire))
    assert list(buttons_of(message)) == ["Promote", "Keep v0001", "Compare"]
    embed = message["embeds"][0]
    assert embed["title"] == "v0002 waits for a decision"
    assert "v0001 goes on answering until an admin presses a button below." in embed["description"]


async def test_promote_makes_the_version_champion_and_says_who_did_it(wire: Wire, ada: Person) -> None:
    run = await waiting_run(wire)
    after = await decided(ada, await verdict(wire, ada, run), "promote")
    embed = after["embeds"][0]
    assert (embed["title"], embed["description"]) == (
        "v0002 was promoted",
        f"<@{ada.id}> promoted v0002: it answers now.",
    )
    assert wire.app.registry.champion() == wire.app.follower.predictor.version == WAITING
    assert await status_of(wire, run) == "promoted"
    (row,) = await decisions(wire, "promote", since=run)
    assert (row.status, row.champion, row.challenger) == ("done", CHAMPION, WAITING)
    assert (row.report or {})["by"] == f"discord:{ada.id}"


async def test_the_notice_of_a_waiting_version_has_the_buttons_too(wire: Wire, ada: Person) -> None:
    """After a person was forgotten, the run ends with a notice in place of a verdict."""
    run, since = await waiting_run(wire), ada.mark()
    await wire.app.reports._announcements.post(
        "notice", RunEnd(run, f"Run {run.id} waits."), channel_id=wire.channel_id
    )
    message = await ada.wait_for_event(
        "MESSAGE_CREATE", predicate=lambda body: f"Run {run.id} waits" in str(body["embeds"]), since=since
    )
    assert list(buttons_of(message)) == ["Promote", "Keep v0001", "Compare"]


async def test_what_would_change_is_said_in_the_tense_of_the_decision(wire: Wire, ada: Person) -> None:
    text = f"{ada.id} shoes are [MASK]"
    query = (await wire.row(await wire.ask(ada, text)))["query"]
    run = await waiting_run(wire)
    run = replace(run, report={"changes": [{"query": query, "before": ["soft"], "after": ["light"]}]})
    for what, title in (("keep", "What would have changed"), ("promote", "What changed")):
        undecided = replace(run, id=(await waiting_run(wire)).id)
        message = await verdict(wire, ada, undecided)
        assert "What would change" in fields_of(message)
        assert title in fields_of(await decided(ada, message, what))


async def test_keep_leaves_the_champion_and_an_audit_line(wire: Wire, ada: Person) -> None:
    run = await waiting_run(wire)
    message, another = await verdict(wire, ada, run), await verdict(wire, ada, run)
    after = await decided(ada, message, "keep")
    assert after["embeds"][0]["description"].startswith(f"<@{ada.id}> kept v0001")
    assert wire.app.registry.champion() == CHAMPION
    assert await status_of(wire, run) == "rejected"
    (row,) = await decisions(wire, "keep", since=run)
    assert row.report == {"by": f"discord:{ada.id}", "version": WAITING}
    assert await run_records.last_champion(wire.app.database) == CHAMPION
    assert (await pressed(ada, another, "promote")).startswith("It was already decided not to use v0002")


async def test_a_member_is_refused_and_nothing_happens(wire: Wire, ada: Person, ann: Person) -> None:
    run = await waiting_run(wire)
    message = await verdict(wire, ada, run)
    for what in ("promote", "keep", "compare"):
        assert (await pressed(ann, message, what)).startswith("Only admins can do that")
    assert (wire.app.registry.champion(), await status_of(wire, run)) == (CHAMPION, "waiting")


async def test_two_admins_at_once_promote_once(wire: Wire, ada: Person, owner: Person) -> None:
    run = await waiting_run(wire)
    message = await verdict(wire, ada, run)
    custom_id = buttons_of(message)["Promote"]
    marks = {who: who.mark() for who in (ada, owner)}
    await asyncio.gather(*(who.click(message, custom_id) for who in (ada, owner)))

    async def refusals() -> list[str]:
        return [
            body["content"]
            for who, since in marks.items()
            for name, body in who.events[since:]
            if name.startswith("MESSAGE_") and body.get("flags", 0) & EPHEMERAL
        ]

    assert await eventually(refusals) == ["v0002 is already answering."]
    assert len(await decisions(wire, "promote", since=run)) == 1
    assert wire.app.registry.champion() == WAITING


async def test_a_champion_that_changed_since_is_not_replaced(wire: Wire, ada: Person) -> None:
    message = await verdict(wire, ada, run := await waiting_run(wire))
    await promotion.promote(wire.app.registry, wire.app.database, "v0003", now=datetime.now(UTC), by="test")
    said = await pressed(ada, message, "promote")
    assert said.startswith("Nothing was changed: v0003 answers by now, and v0002 was compared with v0001.")
    assert (wire.app.registry.champion(), await status_of(wire, run)) == ("v0003", "waiting")


async def test_a_deleted_version_is_not_promoted(wire: Wire, ada: Person) -> None:
    message = await verdict(wire, ada, run := await waiting_run(wire, version="v0009"))
    for what in ("promote", "compare"):
        assert "v0009" in await pressed(ada, message, what)
    assert (wire.app.registry.champion(), await status_of(wire, run)) == (CHAMPION, "waiting")


async def test_a_button_of_a_run_that_is_gone_changes_nothing(wire: Wire, ada: Person) -> None:
    run = await waiting_run(wire)
    message = await verdict(wire, ada, run)
    async with wire.app.database.write() as connection:
        await connection.execute(run_records.runs.delete().where(run_records.runs.c.id == run.id))
    assert (await pressed(ada, message, "promote")).startswith("I no longer know the run")
    assert wire.app.registry.champion() == CHAMPION


async def test_compare_shows_both_versions_for_a_sentence(wire: Wire, ada: Person) -> None:
    message = await verdict(wire, ada, await waiting_run(wire))
    since = ada.mark()
    await ada.click(message, buttons_of(message)["Compare"])
    modal = await ada.wait_for_event("INTERACTION_MODAL_CREATE", since=since)
    (field,) = [one["custom_id"] for row in modal["components"] for one in row["components"]]
    await ada.submit(modal, {field: "my boots are [MASK]"})
    shown = await ada.wait_for_message(
        lambda body: bool(body["flags"] & EPHEMERAL and body["embeds"]), since=since
    )
    assert shown["embeds"][0]["title"] == "v0002 and v0001"
    assert list(fields_of(shown)) == ["v0002", "v0001 (answers now)"]


async def test_an_admin_who_is_forgotten_is_no_longer_named(wire: Wire, ada: Person) -> None:
    run = await waiting_run(wire)
    await decided(ada, await verdict(wire, ada, run), "keep")
    await erase_person(wire.app.database, ada.id, since=None, now=datetime.now(UTC))
    (row,) = await decisions(wire, "keep", since=run)
    assert row.report == {"by": None, "version": WAITING}


async def test_a_withdrawn_version_is_not_promoted(wire: Wire, ada: Person) -> None:
    """The last test: a version stays withdrawn."""
    message = await verdict(wire, ada, run := await waiting_run(wire))
    wire.app.registry.withdraw([WAITING])
    assert (await pressed(ada, message, "promote")).startswith("v0002 is withdrawn")
    assert (wire.app.registry.champion(), await status_of(wire, run)) == (CHAMPION, "waiting")


async def test_the_buttons_work_after_a_restart(home: Path) -> None:
    async with Sandbox() as sandbox, Person(sandbox.url, "ada") as ada:
        async with hosted(home, sandbox) as wire:
            message = await verdict(wire, ada, await waiting_run(wire))
        async with hosted(home, sandbox) as wire:
            await decided(ada, message, "promote")
            assert wire.app.registry.champion() == WAITING


async def test_an_admin_may_decide_before_a_proof_does(wire: Wire, ada: Person) -> None:
    """A proof of v0003, which no test has withdrawn."""
    database, now = wire.app.database, datetime.now(UTC)
    run_id = await run_records.open_run(
        database, "retrain", started_at=now, champion=CHAMPION, challenger="v0003"
    )
    await run_records.finish_run(database, run_id, "proving", finished_at=now)
    run = await run_records.get_run(database, run_id)
    assert run is not None
    await decided(ada, await verdict(wire, ada, run), "promote")
    assert (wire.app.registry.champion(), await status_of(wire, run)) == ("v0003", "promoted")
    assert await run_records.proof_of(database, "v0003") is None
