"""Replies over the wire where ten words are shown, within the limits of Discord's menus and embeds."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.people import Json, Person
from support.wire import EPHEMERAL, Wire, wired

from training.registry.versions import Registry

pytestmark = pytest.mark.asyncio(loop_scope="module")
STRING_SELECT = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A running bot that shows ten words, and whose v0002 serves."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    Registry(home / "models").promote("v0002")
    async with wired(home, shown_words=10, max_masks=5) as running:
        yield running


def lines(reply: Json) -> list[int]:
    """How many words the reply shows for each blank, or version."""
    shown = [one for one in reply["embeds"][0]["fields"] if not one["name"].startswith("Best sentences")]
    return [len(one["value"].split("\n")) for one in shown]


def menus(reply: Json) -> list[Json]:
    controls = [item for row in reply["components"] for item in row["components"]]
    return [one for one in controls if one["type"] == STRING_SELECT]


def options(reply: Json) -> list[list[str]]:
    return [[one["value"] for one in menu["options"]] for menu in menus(reply)]


async def test_ten_words_are_shown_stored_and_offered_in_both_menus(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    stored = [f"{one['mask_index']}:{one['word']}" for one in (await wire.row(reply))["candidates"]]
    assert lines(reply) == [10]
    assert len(stored) == 10
    assert options(reply) == [stored, stored]


@pytest.mark.parametrize(("masks", "each"), [(2, 10), (3, 8), (4, 6), (5, 5)])
async def test_every_word_that_is_shown_for_several_masks_can_be_rated(
    wire: Wire, ann: Person, masks: int, each: int
) -> None:
    reply = await wire.ask(ann, "shoes are " + " and ".join(["[MASK]"] * masks))
    stored = [f"{one['mask_index']}:{one['word']}" for one in (await wire.row(reply))["candidates"]]
    assert lines(reply) == [each] * masks
    assert options(reply) == [stored, stored]
    assert len(stored) == masks * each <= 25


async def test_the_last_of_ten_words_counts_as_a_vote(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann, "ten kinds of socks are [MASK]")
    last = options(reply)[0][-1]
    since = ann.mark()
    await ann.select(reply, menus(reply)[0]["custom_id"], [last])
    await ann.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
    assert [one[1] for one in await wire.votes(reply)] == [last.removeprefix("0:")]
