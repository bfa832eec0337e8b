"""Menus and suggestions over the wire become votes, confirmed to the voter alone; nothing can be forged."""

import re
from datetime import UTC, datetime
from pathlib import Path

import discord
import pytest
import pytest_asyncio
from discord.ext import commands
from sqlalchemy import delete, update
from structlog.testing import capture_logs
from support.ballots import votes_on_message
from support.people import Json, Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel
from support.wire import EPHEMERAL, Wire, best_words, eventually, wired

from bot.cogs.rating import Rating
from bot.errors import StaleMenuError
from bot.texts import say
from bot.voting.menus import SuggestForm
from storage.database import Database
from storage.schema import candidates, people, predictions, votes
from storage.votes import menu_votes
from storage.votes.menu_votes import Ratable
from storage.votes.predictions import StoredVote, cast_votes, mark_deleted
from training.inference.vocabulary import denied_words

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def reply(wire: Wire, ann: Person) -> Json:
    """A reply with its menus."""
    return await wire.ask(ann)


def control(reply: Json, what: str) -> Json:
    """A menu or button under a reply."""
    found = [c for row in reply["components"] for c in row["components"] if f":{what}:" in c["custom_id"]]
    assert len(found) == 1
    return found[0]


def offered(reply: Json, *labels: str) -> list[str]:
    """The values of a menu's options, by label."""
    values = {option["label"]: option["value"] for option in control(reply, "fit")["options"]}
    return [values[label] for label in labels]


def words(reply: Json) -> list[str]:
    return [option["label"] for option in control(reply, "fit")["options"]]


async def choose(wire: Wire, person: Person, reply: Json, what: str, *labels: str) -> Json:
    """Choose words in a menu, and return the line that confirms."""
    return await use(person, reply, control(reply, what)["custom_id"], offered(reply, *labels))


async def try_again(wire: Wire, person: Person, line: Json) -> Json:
    """Press “Try again” in the line that confirms, and return the reply with the next words."""
    since = person.mark()
    await person.click(line, control(line, "again")["custom_id"])
    reply = await person.wait_for_event(
        "MESSAGE_CREATE", predicate=lambda body: bool(body["embeds"]), since=since
    )
    await wire.seeded(person, reply)
    return reply


async def press_again(person: Person, line: Json) -> Json:
    """Press “Try again” where it is refused, and return what is said to it."""
    since = person.mark()
    await person.click(line, control(line, "again")["custom_id"])
    return await person.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)


async def use(person: Person, reply: Json, custom_id: str, values: list[str]) -> Json:
    since = person.mark()
    await person.select(reply, custom_id, values)
    return await person.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)


async def suggest(person: Person, reply: Json, *typed: str) -> Json:
    """Suggest a word for each mask, and return what is said to it."""
    since = person.mark()
    await person.click(reply, control(reply, "suggest")["custom_id"])
    modal = await person.wait_for_event("INTERACTION_MODAL_CREATE", since=since)
    fields = [field for row in modal["components"] for field in row.get("components", ())]
    await person.submit(modal, {field["custom_id"]: word for field, word in zip(fields, typed, strict=True)})
    return await person.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)


async def stored(wire: Wire, reply: Json) -> list[tuple[int, str, int, str, int]]:
    found = await votes_on_message(wire.app.database, int(reply["id"]))
    return sorted((v.mask_index, v.word, v.voter_id, v.via, v.value) for v in found)


async def test_a_reply_offers_all_its_words_in_both_menus(wire: Wire, reply: Json) -> None:
    shown = [c["word"] for c in (await wire.row(reply))["candidates"]]
    assert words(reply) == shown
    for what in ("fit", "unfit"):
        menu = control(reply, what)
        assert (menu["min_values"], menu["max_values"]) == (0, len(shown))


async def test_chosen_words_are_votes_and_are_confirmed(wire: Wire, bob: Person, reply: Json) -> None:
    first, second, third = words(reply)[:3]
    line = await choose(wire, bob, reply, "fit", first, second)
    in_order = ", ".join(sorted((first, second)))
    assert line["content"].split("\n")[0] == f"Your votes on this reply: 👍 {in_order}. Thank you!"
    line = await choose(wire, bob, reply, "unfit", third)
    assert f"👎 {third}" in line["content"]
    expected = [(0, first, bob.id, "menu", 1), (0, second, bob.id, "menu", 1), (0, third, bob.id, "menu", -1)]
    assert await stored(wire, reply) == sorted(expected)


async def test_choosing_again_replaces_what_was_chosen_there(wire: Wire, bob: Person, reply: Json) -> None:
    first, second, third = words(reply)[:3]
    await choose(wire, bob, reply, "fit", first, second)
    await choose(wire, bob, reply, "unfit", third)
    await choose(wire, bob, reply, "fit", second)
    assert await stored(wire, reply) == sorted(
        [(0, second, bob.id, "menu", 1), (0, third, bob.id, "menu", -1)]
    )


async def test_choosing_in_a_menu_that_was_drawn_anew_withdraws_nothing_unseen(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    first, second, third = words(reply)[:3]
    await choose(wire, bob, reply, "fit", first)
    since = ann.mark()
    await suggest(ann, reply, "airy")
    await ann.wait_for_event("MESSAGE_UPDATE", predicate=lambda m: m["id"] == reply["id"], since=since)
    line = await choose(wire, bob, reply, "fit", second)
    assert first in line["content"]
    assert second in line["content"]
    await choose(wire, bob, reply, "fit", third)  # now the second is seen, and left out
    line = await choose(wire, bob, reply, "unfit", first)
    assert line["content"].startswith(f"Your votes on this reply: 👍 {third} · 👎 {first}. Thank you!")
    line = await choose(wire, bob, reply, "fit")
    assert line["content"] == f"Your votes on this reply: 👎 {first}. Thank you!"


async def test_a_word_in_both_menus_is_as_chosen_last(wire: Wire, bob: Person, reply: Json) -> None:
    word = words(reply)[0]
    await choose(wire, bob, reply, "fit", word)
    await choose(wire, bob, reply, "unfit", word)
    assert await stored(wire, reply) == [(0, word, bob.id, "menu", -1)]


async def test_choosing_nothing_withdraws(wire: Wire, bob: Person, reply: Json) -> None:
    await choose(wire, bob, reply, "fit", words(reply)[0])
    line = await choose(wire, bob, reply, "fit")
    assert line["content"] == "You have no votes on this reply now."
    assert line["components"] == []
    assert await stored(wire, reply) == []


async def test_take_back_withdraws_everything_but_the_thumb(wire: Wire, bob: Person, reply: Json) -> None:
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    line = await choose(wire, bob, reply, "unfit", *words(reply)[:2])
    since = bob.mark()
    await bob.click(line, control(line, "back")["custom_id"])
    changed = await bob.wait_for_event("MESSAGE_UPDATE", since=since)
    assert changed["content"] == f"Your votes on this reply: 👍 {words(reply)[0]}. Thank you!"
    assert [via for _, _, _, via, _ in await stored(wire, reply)] == ["reaction"]


async def test_the_confirming_line_counts_a_menu_before_a_thumb(wire: Wire, bob: Person, reply: Json) -> None:
    await bob.react(reply, "👍")
    await wire.until_votes(reply, (bob, 1))
    line = await choose(wire, bob, reply, "unfit", words(reply)[0])
    assert line["content"].startswith(f"Your votes on this reply: 👎 {words(reply)[0]}. Thank you!")


async def test_a_suggested_word_is_a_vote_and_can_be_rated_by_others(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    since = ann.mark()
    line = await suggest(bob, reply, " Cushioned ")
    assert "👍 cushioned" in line["content"]
    edited = await ann.wait_for_event("MESSAGE_UPDATE", since=since)
    assert words(edited)[-1] == "cushioned"
    await choose(wire, ann, edited, "fit", "cushioned")
    assert await stored(wire, reply) == sorted(
        [(0, "cushioned", ann.id, "menu", 1), (0, "cushioned", bob.id, "suggestion", 1)]
    )


async def test_a_word_that_was_taken_back_stays_for_who_rated_it(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    since = ann.mark()
    line = await suggest(bob, reply, "airy")
    shown = await ann.wait_for_event("MESSAGE_UPDATE", since=since)
    first, second = words(shown)[:2]
    await choose(wire, ann, shown, "fit", first, "airy")
    since = bob.mark()
    await bob.click(line, control(line, "back")["custom_id"])
    await bob.wait_for_event("MESSAGE_UPDATE", predicate=lambda m: m["id"] == line["id"], since=since)
    await choose(wire, ann, shown, "fit", first, second, "airy")
    assert [word for _, word, *_ in await stored(wire, reply)] == sorted([first, second, "airy"])


async def test_beside_a_word_that_nobody_wants_any_more_the_others_count(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    since = ann.mark()
    line = await suggest(bob, reply, "airy")
    shown = await ann.wait_for_event("MESSAGE_UPDATE", since=since)
    since = bob.mark()
    await bob.click(line, control(line, "back")["custom_id"])
    await bob.wait_for_event("MESSAGE_UPDATE", predicate=lambda m: m["id"] == line["id"], since=since)
    since, first = ann.mark(), words(shown)[0]
    await choose(wire, ann, shown, "fit", first, "airy")
    assert await stored(wire, reply) == [(0, first, ann.id, "menu", 1)]
    renewed = await ann.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda m: m["id"] == reply["id"], since=since
    )
    assert words(renewed) == words(reply)


async def test_a_menu_waits_for_no_other_reply(wire: Wire, bob: Person, reply: Json) -> None:
    """Discord wants an answer within three seconds; in a busy channel replies wait longer for their turn."""
    rating = wire.app.bot.get_cog("Rating")
    assert isinstance(rating, Rating)
    with rating._in_flight.sending_reply(wire.channel_id):
        await choose(wire, bob, reply, "fit", words(reply)[0])
    assert len(await stored(wire, reply)) == 1


async def test_more_votes_than_a_line_can_hold_are_confirmed_all_the_same(
    wire: Wire, bob: Person, reply: Json
) -> None:
    row, now = await wire.row(reply), datetime.now(UTC)
    many = [f"{'very' * 9}{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(60)]
    await cast_votes(
        wire.app.database, [StoredVote(row["id"], 0, one, bob.id, "suggestion", 1, now) for one in many]
    )
    line = await choose(wire, bob, reply, "fit", words(reply)[0])
    assert len(line["content"]) == 2000


async def test_after_a_rejection_the_next_words_can_be_asked_for(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    seen = words(reply)
    for _ in range(2):
        line = await choose(wire, bob, reply, "unfit", words(reply)[1])
        reply = await try_again(wire, bob, line)
        assert not reply["flags"] & EPHEMERAL
        assert len(words(reply)) == 5
        assert not {*words(reply)} & {*seen}
        assert [field["name"] for field in reply["embeds"][0]["fields"]] == ["Next words"]
        seen += words(reply)
    row = await wire.row(reply)
    assert (row["asker_id"], row["author_id"]) == (bob.id, ann.id)


async def test_the_words_of_another_version_skip_none_of_the_next_words(
    wire: Wire, ann: Person, bob: Person
) -> None:
    """As after a reload, or in a proof: the word is the other version's second, and the champion's 18th."""
    reply = await wire.ask(ann, "the proven boots are [MASK]")
    row = await wire.row(reply)
    best = best_words(wire, "v0001", row["query"])
    async with wire.app.database.write() as connection:
        of_reply = candidates.c.prediction_id == row["id"]
        await connection.execute(
            update(candidates)
            .where(of_reply, candidates.c.rank == 1)
            .values(word=best[17], model_version="v0009")
        )
    line = await choose(wire, bob, reply, "unfit", words(reply)[0])
    again = await try_again(wire, bob, line)
    assert words(again) == best[5:10]


async def test_a_deleted_reply_is_not_answered_again(wire: Wire, bob: Person, reply: Json) -> None:
    line = await choose(wire, bob, reply, "unfit", words(reply)[1])
    await mark_deleted(wire.app.database, [int(reply["id"])], datetime.now(UTC))
    assert (await press_again(bob, line))["content"] == str(StaleMenuError())


async def test_asking_for_further_words_has_a_cooldown(
    wire: Wire, bob: Person, reply: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    cog = wire.app.bot.get_cog("Again")
    once = commands.CooldownMapping[discord.Interaction].from_cooldown(1, 60, lambda one: one.user.id)
    monkeypatch.setattr(cog, "_limit", once)
    line = await choose(wire, bob, reply, "unfit", words(reply)[1])
    await try_again(wire, bob, line)
    assert re.search(r"try again in \d+ s", (await press_again(bob, line))["content"])


async def test_only_a_rejection_offers_to_try_again(wire: Wire, bob: Person, reply: Json) -> None:
    line = await choose(wire, bob, reply, "fit", words(reply)[0])
    assert "again" not in str(line["components"])


async def test_a_form_that_somebody_closed_is_forgotten_in_time() -> None:
    assert SuggestForm(1, masks=1).timeout is not None


@pytest.mark.parametrize("typed", ["two words", "h3llo", "https://x.y", "**bold**", "@everyone"])
async def test_what_is_no_word_is_refused(wire: Wire, bob: Person, reply: Json, typed: str) -> None:
    assert "is not a single word of letters" in (await suggest(bob, reply, typed))["content"]
    assert await stored(wire, reply) == []


@pytest_asyncio.fixture(loop_scope="module")
async def two_masks(wire: Wire, ann: Person) -> Json:
    """A reply with words for two blanks."""
    return await wire.ask(ann, "[MASK] shoes are [MASK]")


EMPTY = ("", "  ", "\t\n", "\u200b\ufeff", "\u3164\u3164", "\u2800", "...", "- –", "\u202e", "🙂")


@pytest.mark.parametrize("typed", [one for one in EMPTY if one.strip()])
async def test_a_form_without_a_letter_is_no_suggestion(
    wire: Wire, bob: Person, reply: Json, typed: str
) -> None:
    assert (await suggest(bob, reply, typed))["content"] == say("errors.empty_form")
    assert await stored(wire, reply) == []


@pytest.mark.parametrize("typed", EMPTY)
async def test_a_form_of_which_no_field_was_filled_is_no_suggestion(
    wire: Wire, bob: Person, two_masks: Json, typed: str
) -> None:
    assert (await suggest(bob, two_masks, typed, typed))["content"] == say("errors.empty_form")
    assert await stored(wire, two_masks) == []


@pytest.mark.parametrize("typed", EMPTY)
async def test_one_field_of_several_will_do(wire: Wire, bob: Person, two_masks: Json, typed: str) -> None:
    assert "airy" in (await suggest(bob, two_masks, typed, "air\u200by"))["content"]
    assert await stored(wire, two_masks) == [(1, "airy", bob.id, "suggestion", 1)]


async def test_each_of_several_suggestions_is_accepted_or_refused_by_name(
    wire: Wire, bob: Person, two_masks: Json
) -> None:
    denied = min(denied_words())
    said = (await suggest(bob, two_masks, f"airy, {denied}", "so light; sturdy"))["content"]
    assert r"👍 airy \(1\), sturdy \(2\)" in said
    assert [line[: line.index("”") + 1] for line in said.splitlines()[1:3]] == [f"“{denied}”", "“so light”"]
    assert said.splitlines()[3].startswith("Your votes reach other sentences")
    assert await stored(wire, two_masks) == [
        (0, "airy", bob.id, "suggestion", 1),
        (1, "sturdy", bob.id, "suggestion", 1),
    ]


async def test_suggestions_that_are_all_refused_are_each_named(
    wire: Wire, bob: Person, two_masks: Json
) -> None:
    said = (await suggest(bob, two_masks, "h3llo", "two words"))["content"]
    assert [line.split("”")[0] for line in said.splitlines()] == ["“h3llo", "“two words"]
    assert await stored(wire, two_masks) == []


async def test_a_denied_word_is_refused(wire: Wire, bob: Person, reply: Json) -> None:
    said = await suggest(bob, reply, min(denied_words()).upper())
    assert said["content"].startswith(f"“{min(denied_words()).upper()}” is on the list")
    assert await stored(wire, reply) == []


async def test_a_reply_takes_no_more_words_than_its_menus_hold(wire: Wire, bob: Person, reply: Json) -> None:
    row = await wire.row(reply)
    taken = ["a" * n for n in range(2, 22)]
    await menu_votes.suggest_words(
        wire.app.database, row["id"], voter_id=9, words=[(0, one) for one in taken], cast_at=datetime.now(UTC)
    )
    assert (await suggest(bob, reply, "cushioned"))["content"].startswith("There is no room for “cushioned”")
    assert "aaa" in (await suggest(bob, reply, "aaa"))["content"]  # which is there already


async def test_the_words_of_every_blank_can_be_rated_and_suggested(
    wire: Wire, ann: Person, bob: Person
) -> None:
    reply = await wire.ask(ann, "[MASK] shoes are [MASK]")
    labels = words(reply)
    assert [label[:4] for label in labels] == ["1 · "] * 5 + ["2 · "] * 5
    line = await choose(wire, bob, reply, "unfit", labels[0], labels[7])
    assert r"\(1\)" in line["content"]
    assert r"\(2\)" in line["content"]
    line = await suggest(bob, reply, "", "cushioned")
    assert r"cushioned \(2\)" in line["content"]
    kinds = [(mask, via) for mask, _, _, via, _ in await stored(wire, reply)]
    assert sorted(kinds) == [(0, "menu"), (1, "menu"), (1, "suggestion")]


async def test_menus_work_in_a_direct_message(wire: Wire, bob: Person) -> None:
    channel_id = await bob.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.ask(bob, channel_id=channel_id)
    await choose(wire, bob, reply, "fit", words(reply)[0])
    assert await stored(wire, reply) == [(0, words(reply)[0], bob.id, "menu", 1)]


async def test_menus_work_in_a_thread(wire: Wire, ann: Person, bob: Person) -> None:
    start = await ann.say(wire.channel_id, "let us talk")
    thread = await ann.request(
        "POST", f"/channels/{wire.channel_id}/messages/{start['id']}/threads", {"name": "words"}
    )
    reply = await wire.ask(ann, channel_id=int(thread["id"]))
    await choose(wire, bob, reply, "fit", words(reply)[0])
    assert await stored(wire, reply) == [(0, words(reply)[0], bob.id, "menu", 1)]


async def test_who_opted_out_is_told_that_it_does_not_count(wire: Wire, reply: Json) -> None:
    async with wire.member() as person:
        async with wire.app.database.write() as connection:
            await connection.execute(
                people.insert(), {"user_id": person.id, "opted_out_at": datetime.now(UTC)}
            )
        line = await choose(wire, person, reply, "fit", words(reply)[0])
        assert "They do not count while you have opted out" in line["content"]


async def test_a_fault_in_a_menu_is_told_with_a_reference(
    wire: Wire, bob: Person, reply: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("storage.votes.menu_votes.store_choices", broken)
    line = await choose(wire, bob, reply, "fit", words(reply)[0])
    assert "(reference " in line["content"]


STALE = "That menu belongs to a reply that I no longer know."


async def test_a_menu_of_a_prediction_that_is_gone_is_told(wire: Wire, ann: Person, bob: Person) -> None:
    reply = await wire.ask(ann)
    row = await wire.row(reply)
    async with wire.app.database.write() as connection:
        await connection.execute(predictions.delete().where(predictions.c.id == row["id"]))
    line = await choose(wire, bob, reply, "fit", words(reply)[0])
    assert line["content"].startswith(STALE)


async def test_a_menu_cannot_vote_on_a_prediction_of_another_message(
    wire: Wire, ann: Person, bob: Person, reply: Json
) -> None:
    """As if Discord let a person send another id: the row says under which message and where it was."""
    other = await wire.ask(ann, "The cap is [MASK]")
    row = await wire.row(other)
    async with wire.app.database.write() as connection:
        await connection.execute(
            update(predictions).where(predictions.c.id == row["id"]).values(channel_id=42)
        )
    line = await choose(wire, bob, other, "fit", words(other)[0])
    assert line["content"].startswith(STALE)
    async with wire.app.database.write() as connection:
        await connection.execute(
            update(predictions)
            .where(predictions.c.id == row["id"])
            .values(channel_id=wire.channel_id, message_id=43)
        )
    line = await choose(wire, bob, other, "fit", words(other)[0])
    assert line["content"].startswith(STALE)
    assert await votes_on_message(wire.app.database, 43) == []


async def test_words_that_were_never_offered_cannot_be_chosen(wire: Wire, bob: Person, reply: Json) -> None:
    row = await wire.row(reply)
    now = datetime.now(UTC)
    suggested = StoredVote(row["id"], 0, "gone", bob.id, "suggestion", 1, now)
    await cast_votes(wire.app.database, [suggested])
    since = bob.mark()
    await suggest(bob, reply, "airy")
    shown = await bob.wait_for_event(
        "MESSAGE_UPDATE", predicate=lambda m: m["id"] == reply["id"], since=since
    )
    assert words(shown)[-2:] == ["gone", "airy"]
    async with wire.app.database.write() as connection:
        await connection.execute(votes.delete().where(votes.c.word == "gone"))
    line = await use(bob, shown, control(shown, "fit")["custom_id"], ["0:gone"])
    assert line["content"].startswith(STALE)


async def test_menus_work_after_a_restart(home: Path) -> None:
    async with wired(home) as wire, wire.person("ben") as ben:
        reply = await wire.ask(ben)
        # What a restart forgets: everything that discord.py holds of views.
        wire.app.bot._connection._view_store._views.clear()
        wire.app.bot._connection._view_store._synced_message_views.clear()
        await choose(wire, ben, reply, "fit", words(reply)[0])
        assert [via for _, _, _, via, _ in await stored(wire, reply)] == ["menu"]


async def test_a_choice_that_arrives_twice_is_no_error(wire: Wire, ann: Person, reply: Json) -> None:
    """The second answer is refused by Discord: it has one already, as it has none left when it comes late."""
    faults_of(wire.sandbox).duplicate_next_event("INTERACTION_CREATE")
    with capture_logs() as logs:
        await choose(wire, ann, reply, "fit", words(reply)[0])
        await eventually(lambda: _found(logs, "interaction.not_answered"))
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []


async def _found(logs: list[Json], event: str) -> bool:
    return any(line["event"] == event for line in logs)


async def test_a_suggested_word_can_be_rated_by_others_also_where_the_bot_sees_nothing(
    wire: Wire, ann: Person, bob: Person
) -> None:
    channel_id = add_channel(wire.sandbox, "hidden-words", only_for=[ann.id, bob.id]).id
    reply = await wire.slash(ann, "fill", channel_id=channel_id, text="Nike shoes are very [MASK]")
    assert "cushioned" in (await suggest(bob, reply, "cushioned"))["content"]
    assert "cushioned" in str((await ann.message(reply))["components"])


@pytest.mark.parametrize("what", ["fit", "suggest"])
async def test_a_vote_that_meets_forgetting_is_told_that_the_menu_is_stale(
    what: str, wire: Wire, ann: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question goes between the look at it and the vote."""
    reply = await wire.ask(ann)
    looked_up = menu_votes.ratable

    async def forgotten_after(database: Database, prediction_id: int) -> Ratable | None:
        found = await looked_up(database, prediction_id)
        if what == "fit" or len(asked) == 1:
            async with database.write() as connection:
                await connection.execute(delete(predictions).where(predictions.c.id == prediction_id))
        asked.append(prediction_id)
        return found

    asked: list[int] = []
    monkeypatch.setattr(menu_votes, "ratable", forgotten_after)
    if what == "fit":
        line = await choose(wire, bob, reply, "fit", words(reply)[0])
    else:
        line = await suggest(bob, reply, "airy")
    assert line["content"] == str(StaleMenuError())


async def reasons(wire: Wire, reply: Json) -> dict[str, str | None]:
    return {v.word: v.reason for v in await votes_on_message(wire.app.database, int(reply["id"]))}


async def test_after_a_rejection_people_may_say_why(wire: Wire, bob: Person, reply: Json) -> None:
    first, second, third = words(reply)[:3]
    await choose(wire, bob, reply, "unfit", third)
    line = await choose(wire, bob, reply, "unfit", first, second)
    for reason in ("tone", "untrue"):
        since = bob.mark()
        await bob.select(line, control(line, "why")["custom_id"], [reason])
        line = await bob.wait_for_event("MESSAGE_UPDATE", since=since)
    assert line["content"].endswith("\nReason noted: not true")
    assert line["content"].count("Reason noted") == 1
    assert await reasons(wire, reply) == {first: "untrue", second: "untrue"}
    await choose(wire, bob, reply, "unfit", first)  # chosen again, it keeps the reason
    assert await reasons(wire, reply) == {first: "untrue"}
    line = await choose(wire, bob, reply, "fit", first)
    assert ":why:" not in str(line["components"])
    assert await reasons(wire, reply) == {first: None}


async def test_a_reason_for_votes_that_were_taken_back_is_refused(
    wire: Wire, bob: Person, reply: Json
) -> None:
    line = await choose(wire, bob, reply, "unfit", words(reply)[0])
    await choose(wire, bob, reply, "unfit")
    said = await use(bob, line, control(line, "why")["custom_id"], ["tone"])
    assert said["content"].startswith(STALE)


async def test_the_form_takes_a_reason_too(wire: Wire, bob: Person, reply: Json) -> None:
    since = bob.mark()
    await bob.click(reply, control(reply, "suggest")["custom_id"])
    modal = await bob.wait_for_event("INTERACTION_MODAL_CREATE", since=since)
    word, why = modal["components"]
    assert why["component"]["required"] is False
    answers = [
        {
            "type": 1,
            "components": [{"type": 4, "custom_id": word["components"][0]["custom_id"], "value": "airy"}],
        },
        {
            "type": 18,
            "component": {"type": 3, "custom_id": why["component"]["custom_id"], "values": ["grammar"]},
        },
    ]
    body = {"id": modal["id"], "custom_id": modal["custom_id"], "components": answers}
    await bob.request("POST", "/interactions", {"type": 5, "channel_id": modal["channel_id"], "data": body})

    async def is_stored() -> bool:
        return await reasons(wire, reply) == {"airy": "grammar"}

    await eventually(is_stored)
