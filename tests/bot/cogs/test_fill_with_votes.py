"""What votes do at once to `!fill`, where two people of one mind are heard, as on Discord.

Every test has a sentence of its own: votes on it stand for all who ask it.
"""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
import pytest_asyncio
from sqlalchemy import func, insert, update
from support.people import Json, Person
from support.wire import Wire, wired

from storage.schema import people, votes
from storage.votes.consensus import store_reliabilities

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A running bot with the rules of Discord."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with wired(home, min_voters=2) as running:
        yield running


def words_of(reply: Json) -> list[str]:
    """The words offered in the first field."""
    lines = reply["embeds"][0]["fields"][0]["value"].split("\n")
    return [re.sub(r"[▰▱ *]", "", line.split(" · ")[0]) for line in lines]


def shares_of(reply: Json, *, mask: int = 0) -> list[float]:
    """The percentages that a field says."""
    return [float(n) for n in re.findall(r"([\d.]+)%", reply["embeds"][0]["fields"][mask]["value"])]


def footer_of(reply: Json) -> str:
    return reply["embeds"][0]["footer"]["text"]


async def voted(wire: Wire, person: Person, query: str, *votes: tuple[Person, str]) -> Json:
    """Ask, and let people react. Returns the reply once their votes stand."""
    reply = await wire.ask(person, query)
    for voter, thumb in votes:
        await voter.react(reply, thumb)
    await wire.until_votes(reply, *((voter, 1 if thumb == "👍" else -1) for voter, thumb in votes))
    return reply


async def test_a_word_that_two_reject_is_gone_and_comes_back_when_one_withdraws(
    wire: Wire, ann: Person, bob: Person
) -> None:
    query = "The blue socks are [MASK]"
    first = await voted(wire, ann, query, (ann, "👎"))
    lone = await wire.ask(bob, query)
    assert words_of(lone) == words_of(first)
    assert "adjusted" not in footer_of(lone)

    await bob.react(lone, "👎")  # on another reply: the sentence is what counts
    await wire.until_votes(lone, (bob, -1))
    without = await wire.ask(ann, query.upper().replace("[MASK]", "[mask]"))
    assert words_of(first)[0] not in words_of(without)
    assert words_of(without)[:4] == words_of(first)[1:]
    assert len(words_of(without)) == 5
    assert footer_of(without).endswith(" · adjusted by 2 votes · 👍 👎 rate the bold word")
    assert without["embeds"][0]["description"].endswith(f"**{words_of(without)[0]}**.")

    await bob.unreact(lone, "👎")
    await wire.until_votes(lone)
    back = await wire.ask(ann, query)
    assert words_of(back) == words_of(first)
    assert shares_of(back) == shares_of(first)
    assert "adjusted" not in footer_of(back)


async def test_wanted_words_rise_and_the_list_stays_in_order(wire: Wire, ann: Person, bob: Person) -> None:
    query = "The red boots are [MASK]"
    first = await voted(wire, ann, query, (ann, "👍"), (bob, "👍"))
    again = await wire.ask(ann, query)
    assert words_of(again) == words_of(first)
    assert shares_of(again)[0] > shares_of(first)[0]
    assert shares_of(again) == sorted(shares_of(again), reverse=True)
    assert "adjusted by 2 votes" in footer_of(again)


async def test_an_adjusted_reply_is_stored_with_the_bare_scores_and_as_adjusted(
    wire: Wire, ann: Person, bob: Person
) -> None:
    query = "The new shoes are [MASK]"
    first = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
    bare, stored = await wire.row(first), await wire.row(await wire.ask(ann, query))
    assert not any(c["adjusted"] for c in bare["candidates"])
    assert all(c["adjusted"] for c in stored["candidates"])
    assert [(c["word"], c["score"]) for c in stored["candidates"][:4]] == [
        (c["word"], c["score"]) for c in bare["candidates"][1:]
    ]


async def test_a_thumb_under_an_adjusted_reply_rates_its_top_word(
    wire: Wire, ann: Person, bob: Person
) -> None:
    query = "The old shoes are [MASK]"
    first = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
    second = await voted(wire, bob, query, (ann, "👎"), (bob, "👎"))
    assert [vote[1] for vote in await wire.votes(second)] == [words_of(first)[1]] * 2
    third = await wire.ask(ann, query)
    assert words_of(third)[:3] == words_of(first)[2:]
    assert "adjusted by 4 votes" in footer_of(third)


async def test_each_blank_is_adjusted_on_its_own(wire: Wire, ann: Person, bob: Person) -> None:
    query = "The [MASK] boots are [MASK]"
    first = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
    again = await wire.ask(ann, query)
    before, after = (
        [[c["word"] for c in row["candidates"] if c["mask_index"] == mask] for mask in (0, 1)]
        for row in (await wire.row(first), await wire.row(again))
    )
    for old, new in zip(before, after, strict=True):
        assert old[0] not in new
        assert set(old[1:]) <= set(new)
    assert "adjusted by 4 votes" in footer_of(again)


async def test_votes_count_for_the_sentence_whichever_version_answers(
    wire: Wire, ann: Person, bob: Person
) -> None:
    query = "The ugly socks are [MASK]"
    wire.app.registry.promote("v0002")
    await wire.app.follower.follow_champion()
    try:
        first = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
    finally:
        wire.app.registry.promote("v0001")
        await wire.app.follower.follow_champion()
    assert footer_of(first).startswith("Model v0002 ")
    reply = await wire.ask(ann, query)
    assert footer_of(reply).startswith("Model v0001 ")
    assert words_of(first)[0] not in words_of(reply)


async def test_votes_on_one_sentence_leave_others_as_they_are(wire: Wire, ann: Person, bob: Person) -> None:
    other = await wire.ask(ann, "The light shoes are [MASK]")
    await voted(wire, ann, "The heavy shoes are [MASK]", (ann, "👎"), (bob, "👎"))
    assert words_of(await wire.ask(ann, "The light shoes are [MASK]")) == words_of(other)


async def test_who_opted_out_counts_no_more(wire: Wire, ann: Person, bob: Person) -> None:
    query = "The warm shoes are [MASK]"
    first = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
    async with wire.app.database.write() as connection:
        await connection.execute(insert(people), {"user_id": bob.id, "opted_out_at": discord.utils.utcnow()})
    assert words_of(await wire.ask(ann, query)) == words_of(first)


async def test_whom_the_last_run_did_not_trust_moves_nothing(wire: Wire, ann: Person, bob: Person) -> None:
    query = "The late shoes are [MASK]"
    first = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
    await store_reliabilities(wire.app.database, {ann.id: 0.4, bob.id: 0.4})
    try:
        assert words_of(await wire.ask(ann, query)) == words_of(first)
    finally:
        await store_reliabilities(wire.app.database, {})


async def test_a_sentence_of_several_blanks_that_two_reject_has_other_words_in_every_blank(
    wire: Wire, ann: Person, bob: Person
) -> None:
    query = "The [MASK] socks are [MASK] for the [MASK]"
    replies, seen = [], set()
    for _ in range(4):  # in the end no sentence that was found at first is left
        reply = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
        row = await wire.row(reply)
        tops = {(c["mask_index"], c["word"]) for c in row["candidates"] if c["rank"] == 0}
        bold = re.findall(r"\*\*(.+?)\*\*", reply["embeds"][0]["description"])
        assert set(enumerate(bold)) == tops
        assert not tops & seen
        assert reply["embeds"][0]["fields"][0]["name"].startswith("Best sentences")
        seen |= tops
        replies.append(reply)
    assert "adjusted" not in footer_of(replies[0])
    assert all("adjusted by" in footer_of(reply) for reply in replies[1:])


async def test_votes_count_however_an_earlier_version_spelled_the_word(
    wire: Wire, ann: Person, bob: Person
) -> None:
    """As after a change to a base model that keeps capitals."""
    query = "The green socks are [MASK]"
    first = await voted(wire, ann, query, (ann, "👎"), (bob, "👎"))
    async with wire.app.database.write() as connection:
        await connection.execute(
            update(votes).where(votes.c.word == words_of(first)[0]).values(word=func.upper(votes.c.word))
        )
    again = await wire.ask(ann, query)
    assert words_of(first)[0] not in words_of(again)
    assert "adjusted by 2 votes" in footer_of(again)
