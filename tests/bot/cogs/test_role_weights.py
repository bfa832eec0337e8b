"""Votes over the wire count by the roles of their voters."""

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from faults.hosted import hosted
from sqlalchemy import select
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.wire import EPHEMERAL, Wire

from bot.sandbox.errors import Refusal
from bot.sandbox.server import Sandbox
from bot.sandbox.world.state import Role
from storage.schema import votes

pytestmark = pytest.mark.asyncio(loop_scope="module")
PRODUCT, SUPPORT, OTHER = 1_100_000_000_000_000_801, 1_100_000_000_000_000_802, 1_100_000_000_000_000_803
NAMES = {PRODUCT: "Product team", SUPPORT: "Support", OTHER: "Other"}
WEIGHTS = (("product TEAM", 3.0), (str(SUPPORT), 0.5))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A running bot for which votes of the product team count three times, and of support half."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with Sandbox() as sandbox:
        for role_id, name in NAMES.items():
            sandbox.world.roles[role_id] = Role(role_id, sandbox.guild_id, name, 0, position=1)
        async with hosted(home, sandbox, role_weights=WEIGHTS, min_voters=2) as running:
            yield running


def give_roles(wire: Wire, person: Person, *roles: int) -> None:
    """Let a person have these roles."""
    members, guild_id = wire.sandbox.world.members, wire.sandbox.guild_id
    members[guild_id, person.id] = replace(members[guild_id, person.id], role_ids=roles)


async def weights(wire: Wire, reply: Json) -> dict[tuple[int, str], float]:
    """Person and word → weight of the stored votes."""
    prediction_id = (await wire.row(reply))["id"]
    async with wire.app.database.read() as connection:
        rows = await connection.execute(
            select(votes.c.voter_id, votes.c.word, votes.c.weight).where(
                votes.c.prediction_id == prediction_id
            )
        )
        return {(voter, word): weight for voter, word, weight in rows}


async def top_word(wire: Wire, reply: Json) -> str:
    return next(c["word"] for c in (await wire.row(reply))["candidates"] if c["rank"] == 0)


@pytest.mark.parametrize(
    ("roles", "weight"),
    [((), 1.0), ((OTHER,), 1.0), ((SUPPORT,), 0.5), ((PRODUCT,), 3.0), ((SUPPORT, OTHER, PRODUCT), 3.0)],
)
async def test_a_thumb_has_the_highest_weight_of_its_givers_roles(
    wire: Wire, ann: Person, roles: tuple[int, ...], weight: float
) -> None:
    give_roles(wire, ann, *roles)
    reply = await wire.ask(ann)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    assert list((await weights(wire, reply)).values()) == [weight]


async def test_a_thumb_in_a_direct_message_has_the_weight_of_the_roles_in_the_server(
    wire: Wire, ann: Person
) -> None:
    give_roles(wire, ann, PRODUCT)
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.ask(ann, channel_id=channel_id)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    assert list((await weights(wire, reply)).values()) == [3.0]


async def test_a_choice_in_a_menu_has_a_weight_which_stays_when_the_role_goes(
    wire: Wire, ann: Person
) -> None:
    give_roles(wire, ann, PRODUCT)
    reply = await wire.ask(ann)
    first, second, *_ = [c["word"] for c in (await wire.row(reply))["candidates"]]
    menu = next(c for row in reply["components"] for c in row["components"] if ":fit:" in c["custom_id"])
    for word in (first, second):
        since = ann.mark()
        await ann.select(reply, menu["custom_id"], dict.fromkeys([f"0:{first}", f"0:{word}"]))
        await ann.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
        assert (await weights(wire, reply))[ann.id, first] == 3.0
    give_roles(wire, ann)
    thumbed = await wire.ask(ann, "other shoes are [MASK]")
    await ann.react(thumbed, "👍")
    await wire.until_votes(thumbed, (ann, 1))
    assert (await weights(wire, reply))[ann.id, second] == 3.0
    assert list((await weights(wire, thumbed)).values()) == [1.0]


async def test_the_heavier_of_two_votes_decides_what_a_reply_shows(
    wire: Wire, ann: Person, bob: Person
) -> None:
    give_roles(wire, ann, PRODUCT)
    query = "weighty socks are [MASK]"
    reply = await wire.ask(ann, query)
    word = await top_word(wire, reply)
    await ann.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1))
    assert await top_word(wire, await wire.ask(bob, query)) == word  # one person, however heavy
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (ann, -1), (bob, 1))
    again = (await wire.row(await wire.ask(bob, query)))["candidates"]
    assert word not in [c["word"] for c in again]


async def test_mydata_shows_the_weights(wire: Wire, ann: Person) -> None:
    give_roles(wire, ann, SUPPORT)
    reply = await wire.ask(ann)
    await ann.react(reply, "👍")
    await wire.until_votes(reply, (ann, 1))
    faults_of(wire.sandbox).refuse("POST", "/users/@me/channels", Refusal.CANNOT_SEND_TO_USER)
    message = await wire.slash(ann, "mydata")  # so that the file is in the reply
    (attachment,) = message["attachments"]
    async with ann._http.get(attachment["url"]) as response:
        told = json.loads(await response.read())
    assert [one["weight"] for one in told["votes"]] == [0.5]
