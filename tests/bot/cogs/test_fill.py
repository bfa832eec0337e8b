"""`!fill` over the wire: the reply, what is stored, and what cannot be answered."""

import asyncio
import re
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import discord
import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs
from support.people import Person
from support.sandbox_faults import faults_of
from support.wire import EPHEMERAL, Wire, eventually

from bot.cogs.fill import ASKS
from storage.schema import predictions
from storage.votes.predictions import StoredVote, cast_votes

pytestmark = pytest.mark.asyncio(loop_scope="module")


def words_of(reply: dict) -> list[str]:
    """The words offered in the first field."""
    return [
        re.sub(r"[▰▱ *]", "", line.split(" · ")[0])
        for line in reply["embeds"][0]["fields"][0]["value"].split("\n")
    ]


async def test_the_reply_shows_the_completed_sentence_with_the_top_word_in_bold(
    wire: Wire, ann: Person
) -> None:
    reply = await wire.ask(ann, "Nike shoes are very [MASK]")
    top = words_of(reply)[0]
    assert reply["embeds"][0]["description"] == f"Nike shoes are very **{top}**."


async def test_the_reply_offers_five_words_with_scores_best_first(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    lines = reply["embeds"][0]["fields"][0]["value"].split("\n")
    scores = [float(re.search(r"· ([\d.]+)%$", line)[1]) for line in lines]
    assert len(lines) == 5
    assert scores == sorted(scores, reverse=True)
    assert lines[0].count("**") == 2
    assert not any("**" in line for line in lines[1:])


async def test_the_footer_names_the_model_version_and_the_prediction(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    row = await wire.row(reply)
    assert reply["embeds"][0]["footer"]["text"].startswith(f"Model v0001 · #{row['id']} · ")


async def test_the_reply_replies_to_the_question_and_pings_nobody(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann, "<@1100000000000000501> @everyone is very [MASK]")
    assert reply["type"] == 19
    assert reply["mentions"] == []
    assert reply["mention_everyone"] is False


async def test_both_thumbs_are_offered_once_the_prediction_is_stored(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    shown = (await ann.message(reply))["reactions"]
    assert [(one["emoji"]["name"], one["count"]) for one in shown] == [("👍", 1), ("👎", 1)]
    assert (await wire.row(reply))["message_id"] == int(reply["id"])


async def test_the_slash_command_answers_the_same(wire: Wire, ann: Person) -> None:
    typed = await wire.ask(ann)
    slashed = await wire.slash(ann, "fill", text="Nike shoes are very [MASK]")
    await wire.seeded(ann, slashed)
    assert words_of(slashed) == words_of(typed)
    assert (await wire.row(slashed))["asker_id"] == ann.id


async def test_a_mask_is_a_mask_in_any_case(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann, "Nike shoes are very [mask]")
    assert (await wire.row(reply))["query"] == "Nike shoes are very [MASK]."


async def test_the_command_is_a_command_in_any_case(wire: Wire, ann: Person) -> None:
    reply = await wire.say(ann, "! FILL Nike shoes are very [MASK]")
    assert reply["embeds"]


async def test_punctuation_at_the_end_is_left_alone(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann, "Are nike shoes very [MASK]?")
    assert (await wire.row(reply))["query"] == "Are nike shoes very [MASK]?"
    assert reply["embeds"][0]["description"].endswith("**?")


async def test_each_mask_gets_words_of_its_own(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann, "[MASK] shoes are very [MASK] and [MASK]")
    embed = reply["embeds"][0]
    row = await wire.row(reply)
    tops = [c["word"] for c in row["candidates"] if c["rank"] == 0]
    names = [field["name"] for field in embed["fields"]]
    assert names[1:] == [f"Best words for blank {n}" for n in (1, 2, 3)]
    assert (
        embed["description"] == f"**{tops[0].capitalize()}** shoes are very **{tops[1]}** and **{tops[2]}**."
    )
    assert [(c["mask_index"], c["rank"]) for c in row["candidates"]] == [
        (m, r) for m in range(3) for r in range(5)
    ]


async def test_several_blanks_are_filled_together_and_lists_start_with_the_best_sentence(
    wire: Wire, ann: Person
) -> None:
    reply = await wire.ask(ann, "The [MASK] shoes are [MASK] [MASK]")
    embed = reply["embeds"][0]
    sentences = embed["fields"][0]
    assert sentences["name"] == "Best sentences, all blanks filled together"
    lines = sentences["value"].split("\n")
    assert len(lines) == 3
    assert lines[0].split(" · ")[0] == embed["description"]
    tops = [re.search(r"\*\*(.+)\*\*", field["value"])[1] for field in embed["fields"][1:]]
    assert re.findall(r"\*\*(.+?)\*\*", embed["description"]) == tops
    stored = [c["word"] for c in (await wire.row(reply))["candidates"] if c["rank"] == 0]
    assert stored == tops


async def test_a_single_blank_has_no_sentences_together(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    assert [field["name"] for field in reply["embeds"][0]["fields"]] == ["Best words"]


async def test_the_candidates_are_stored_as_they_were_shown(wire: Wire, ann: Person) -> None:
    reply = await wire.ask(ann)
    row = await wire.row(reply)
    assert [c["word"] for c in row["candidates"]] == words_of(reply)
    assert all(0 < c["score"] < 1 for c in row["candidates"])


async def test_the_stored_row_says_where_by_whom_and_by_which_model(wire: Wire, ann: Person) -> None:
    row = await wire.row(await wire.ask(ann))
    assert row["guild_id"] == wire.sandbox.guild_id
    assert row["channel_id"] == wire.channel_id
    assert row["asker_id"] == ann.id
    assert row["model_version"] == "v0001"
    assert row["latency_ms"] > 0
    assert row["created_at"].tzinfo is not None
    assert row["deleted_at"] is None


async def test_personal_data_is_answered_but_not_stored(wire: Wire, ann: Person) -> None:
    query = "mail me at jo.doe+x@example.co.uk or +49 (170) 1234567, order 12345678, <@99> [MASK]"
    row = await wire.row(await wire.ask(ann, query))
    assert row["query"] == "mail me at [email] or [phone], order [number], someone [MASK]."


async def test_the_same_question_has_the_same_hash(wire: Wire, ann: Person) -> None:
    rows = [
        await wire.row(await wire.ask(ann, q))
        for q in ("Shoes are [MASK]", "shoes  ARE [mask].", "Boots are [MASK]")
    ]
    assert rows[0]["query_hash"] == rows[1]["query_hash"] != rows[2]["query_hash"]


@pytest.mark.parametrize(
    "query", ["wash [MASK]", "it is break [MASK]", "so [MASK], [MASK]", "run [MASK] now", "e ( [MASK] )"]
)
async def test_no_word_piece_punctuation_or_unused_entry_is_offered(
    wire: Wire, ann: Person, query: str
) -> None:
    row = await wire.row(await wire.ask(ann, query))
    for candidate in row["candidates"]:
        assert candidate["word"].isalpha() or "-" in candidate["word"], candidate


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "Nike shoes are very nice",
            "Put `[MASK]` there, for example `!fill Nike shoes are very nice [MASK]`",
        ),
        ("[MASK]", "Please write some words around the blank"),
        ("[MASK] [MASK]!", "Please write some words around the blank"),
        ("🙂🙂 [MASK] 🎉", "Please write some words around the blank"),
        ("\u200b\u200d [MASK] \u2060", "Please write some words around the blank"),
        ("[MASK] a [MASK] b [MASK] c [MASK]", "That has 4 blanks; please use at most 3 `[MASK]`"),
        ("very " * 100 + "[MASK]", "That is 506 characters; please keep it to 400"),
        ("nice " * 60 + "[MASK]", "word pieces; the model reads at most 48. Please shorten it."),
        ("", "Something is missing. Try `!fill Nike shoes are very [MASK]`."),
    ],
)
async def test_what_cannot_be_answered_is_told_what_to_change(
    wire: Wire, ann: Person, query: str, said: str
) -> None:
    reply = await wire.say(ann, f"!fill {query}")
    assert said in reply["content"]
    assert "\n" not in reply["content"]
    assert reply["embeds"] == []


async def test_a_slash_command_that_cannot_be_answered_is_told_so_privately(wire: Wire, ann: Person) -> None:
    reply = await wire.slash(ann, "fill", text="no blank here")
    assert "`!fill no blank here [MASK]`" in reply["content"]
    assert reply["flags"] & EPHEMERAL


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("so 🙂🙂🙂 these are [MASK]", "so these are"),
        ("הנעליים מאוד [MASK]", "הנעליים מאוד"),
        ("\u202eabc\u202c is [MASK]", "abc is"),
        ("very\u200bvery\u200d nice [MASK]", "veryvery nice"),
        ("it is [SEP] [PAD] [CLS] [MASK]", r"it is \[SEP\] \[PAD\] \[CLS\]"),
        ("@everyone @here <@&5> is [MASK]", "everyone everyone everyone is"),
        ("@everyone12 is [MASK]", r"\@everyone12 is"),
        ("**bold** _it_ ~~no~~ ||spoil|| [MASK]", "bold it no spoil"),
        ("**bold _it ~~no ||spoil [MASK]", r"bold \_it no spoil"),
        ("[click](https://evil.example) is [MASK]", "click is"),
        ("[click](evil.example) is [MASK]", r"\[click\]\(evil.example\) is"),
        ("`code` ```block``` is [MASK]", "code block is"),
        (r"a \ b \\ is [MASK]", r"a \\ b \\ is"),
        ("# head is [MASK]", "head is"),
        ("so # head is [MASK]", r"so \# head is"),
        ("> quote is [MASK]", "quote is"),
        ("- item is [MASK]", "item is"),
        ("1. item is [MASK]", r"1\. item is"),
        ("line\none is\n[MASK]", "line one is"),
        ("tab\tand \x07 bell [MASK]", "tab and bell"),
        ("<t:0:R> <:x:1> is [MASK]", "1970-01-01 is"),
    ],
)
async def test_odd_text_is_answered_and_shown_as_it_is(
    wire: Wire, ann: Person, query: str, shown: str
) -> None:
    reply = await wire.ask(ann, query)
    description = reply["embeds"][0]["description"]
    assert re.fullmatch(re.escape(shown) + r" \*\*[\w-]+\*\*\.", description), description


async def test_special_tokens_in_a_query_are_plain_text_to_the_model(wire: Wire, ann: Person) -> None:
    odd = await wire.row(await wire.ask(ann, "shoes [SEP] [MASK]"))
    plain = await wire.row(await wire.ask(ann, "shoes [ sep ] [MASK]"))
    assert [c["score"] for c in odd["candidates"]] == [c["score"] for c in plain["candidates"]]


async def test_a_direct_message_by_a_member_is_answered(wire: Wire, ann: Person) -> None:
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    row = await wire.row(await wire.ask(ann, channel_id=channel_id))
    assert row["guild_id"] is None
    assert row["channel_id"] == channel_id


async def test_a_slash_command_in_a_direct_message_is_answered(wire: Wire, ann: Person) -> None:
    channel_id = await ann.direct_channel_id(wire.sandbox.bot_user_id)
    reply = await wire.slash(ann, "fill", channel_id=channel_id, text="shoes are [MASK]")
    assert (await wire.row(reply))["guild_id"] is None


async def test_a_question_in_a_thread_is_answered_there(wire: Wire, ann: Person) -> None:
    thread = await ann.request("POST", f"/channels/{wire.channel_id}/threads", {"name": "words", "type": 11})
    reply = await wire.ask(ann, channel_id=int(thread["id"]))
    assert reply["channel_id"] == thread["id"]
    assert (await wire.row(reply))["channel_id"] == int(thread["id"])


async def test_webhooks_are_not_answered(wire: Wire, ann: Person) -> None:
    async with wire.person("ada") as ada:
        hook = await ada.request("POST", f"/channels/{wire.channel_id}/webhooks", {"name": "feed"})
        body = {"content": "!fill shoes are [MASK]"}
        await ada.request("POST", f"/webhooks/{hook['id']}/{hook['token']}", body)
    await assert_only_this_is_answered(wire, ann)


async def test_plain_talk_and_other_bots_commands_are_ignored(wire: Wire, ann: Person) -> None:
    for text in ("shoes are …", "!", "!!", "!play a song", "!42"):
        await ann.say(wire.channel_id, text)
    await assert_only_this_is_answered(wire, ann)


async def assert_only_this_is_answered(wire: Wire, person: Person) -> None:
    """Ask something now; whatever was said before and is answered would have been answered by then."""
    bot_id = str(wire.sandbox.bot_user_id)
    since = 0
    reply = await wire.ask(person)
    heard = [
        body["id"]
        for name, body in person.events[since:]
        if name == "MESSAGE_CREATE" and body["author"]["id"] == bot_id
    ]
    assert heard == [reply["id"]]


async def test_asking_too_often_is_told_when_to_ask_again(wire: Wire, ann: Person, bob: Person) -> None:
    for _ in range(ASKS):
        await wire.say(ann, "!fill shoes are [MASK]")
    reply = await wire.say(ann, "!fill shoes are [MASK]")
    assert re.fullmatch(r"One moment, please: try again in ([1-9]|10) s\.", reply["content"])
    assert (await wire.say(bob, "!fill shoes are [MASK]"))["embeds"]


async def test_slash_and_typed_questions_share_the_cooldown(wire: Wire, ann: Person) -> None:
    for _ in range(ASKS):
        await wire.slash(ann, "fill", text="shoes are [MASK]")
    assert (await wire.say(ann, "!fill shoes are [MASK]"))["content"].startswith("One moment, please")
    assert (await wire.slash(ann, "fill", text="a [MASK]"))["content"].startswith("One moment, please")


async def test_the_reply_to_a_question_deleted_meanwhile_goes_with_it(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).delay("POST", "/messages$", delay_s=0.2)
    since = ann.mark()
    message = await ann.say(wire.channel_id, "!fill shoes are [MASK]")
    await ann.delete(message)
    bot_id = str(wire.sandbox.bot_user_id)
    reply = await ann.wait_for_event(
        "MESSAGE_CREATE", predicate=lambda body: body["author"]["id"] == bot_id, since=since
    )
    assert reply["embeds"]
    await ann.wait_for_event("MESSAGE_DELETE", predicate=lambda body: body["id"] == reply["id"], since=since)


async def test_a_reply_deleted_before_its_thumbs_is_no_trouble(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).delay("PUT", "/reactions/", delay_s=0.1)
    async with wire.person("ada") as ada:
        reply = await wire.say(ann, "!fill shoes are [MASK]")
        await ada.delete(reply)

    async def is_noted() -> bool:
        return (await wire.row(reply))["deleted_at"] is not None

    await eventually(is_noted)
    assert (await wire.ask(ann))["embeds"]


async def test_a_channel_without_the_right_to_react_gets_the_answer_alone(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).fail("PUT", "/reactions/", status=403)
    reply = await wire.say(ann, "!fill shoes are [MASK]")
    assert reply["embeds"]
    again = await wire.ask(ann)
    assert (await ann.message(reply))["reactions"] == []
    assert len((await ann.message(again))["reactions"]) == 2


async def test_a_reply_that_cannot_be_sent_leaves_a_prediction_without_message(
    wire: Wire, ann: Person
) -> None:
    async def count(column: object) -> int:
        async with wire.app.database.read() as connection:
            return (await connection.execute(select(func.count(column)))).scalar_one()

    unsent = await count(predictions.c.id) - await count(predictions.c.message_id)
    faults_of(wire.sandbox).fail("POST", "/messages$", status=403)
    await ann.say(wire.channel_id, "!fill shoes are [MASK]")

    async def is_left() -> bool:
        return await count(predictions.c.id) - await count(predictions.c.message_id) == unsent + 1

    await eventually(is_left)


async def test_many_people_asking_at_once_are_all_answered(wire: Wire) -> None:
    async def one(number: int) -> str:
        async with wire.member() as person:
            reply = await wire.say(person, f"!fill shoes number {number} are [MASK]")
            return reply["embeds"][0]["description"]

    descriptions = await asyncio.gather(*(one(number) for number in range(20)))
    assert [f"shoes number {number} are " in text for number, text in enumerate(descriptions)] == [True] * 20


async def test_nobody_can_be_pinged_through_the_bot(wire: Wire) -> None:
    assert wire.app.bot.allowed_mentions.to_dict() == discord.AllowedMentions.none().to_dict()


async def test_a_vote_of_one_adjusts_the_reply_where_a_newcomer_is_alone(wire: Wire, ann: Person) -> None:
    query = "The green boots are [MASK]"
    first = await wire.ask(ann, query)
    await ann.react(first, "👎")
    await wire.until_votes(first, (ann, -1))
    without = await wire.ask(ann, query)
    assert words_of(without)[:4] == words_of(first)[1:]
    assert " · adjusted by 1 vote · " in without["embeds"][0]["footer"]["text"]


async def test_votes_on_personal_data_are_not_for_a_sentence_that_is_stored_alike(
    wire: Wire, ann: Person
) -> None:
    first = await wire.ask(ann, "The shoes of order 123456 are [MASK]")
    await ann.react(first, "👎")
    await wire.until_votes(first, (ann, -1))
    other = await wire.ask(ann, "The shoes of order 654321 are [MASK]")
    assert (await wire.row(other))["query_hash"] == (await wire.row(first))["query_hash"]
    assert not any(candidate["adjusted"] for candidate in (await wire.row(other))["candidates"])


async def test_a_reply_that_discord_cannot_take_is_sent_again(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).fail("POST", r"/channels/\d+/messages$", status=503)
    assert (await wire.say(ann, "!fill shoes are [MASK]"))["embeds"]


async def test_thumbs_that_discord_cannot_take_are_no_failure(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).fail("PUT", "/reactions/", status=503)
    with capture_logs() as logs:
        await wire.say(ann, "!fill shoes are [MASK]")
        await eventually(lambda: _logged(logs, "thumbs.not_offered"))
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []


async def _logged(logs: list[MutableMapping[str, Any]], event: str) -> bool:
    return any(line["event"] == event for line in logs)


async def test_a_sentence_with_personal_data_says_that_its_votes_do_not_count(
    wire: Wire, ann: Person
) -> None:
    private = await wire.ask(ann, "order 12345678 is [MASK]")
    plain = await wire.ask(ann, "12995 rupees is [MASK]")
    assert "votes on it are not counted" in private["embeds"][0]["footer"]["text"]
    assert "not counted" not in plain["embeds"][0]["footer"]["text"]


async def test_votes_on_sentences_that_look_alike_without_personal_data_do_not_mix(
    wire: Wire, ann: Person, bob: Person
) -> None:
    """The stored text is asked again by the menu of choices, by “Try again” and by “Why this word?”."""
    await wire.ask(ann, "mail ann@example.com that caps are [MASK]")
    (stored,) = await choices(wire, ann, "that caps")
    assert "[email]" in stored
    asked = await wire.slash(ann, "fill", text=stored)
    row = await wire.row(asked)
    best = row["candidates"][0]["word"]
    vote = StoredVote(row["id"], 0, best, bob.id, "menu", -1, datetime.now(UTC))
    await cast_votes(wire.app.database, [vote])
    again = await wire.slash(bob, "fill", text=stored)
    assert best in [one["word"] for one in (await wire.row(again))["candidates"]]
    for reply in (asked, again):
        assert "votes on it are not counted" in reply["embeds"][0]["footer"]["text"]


async def test_ones_own_recent_questions_are_offered_while_typing(
    wire: Wire, ann: Person, bob: Person
) -> None:
    for text in ("Nike shoes are very [MASK]", "The cap is [MASK]"):
        await wire.ask(ann, text)
    await wire.ask(bob, "The secret cap is [MASK]")
    assert await choices(wire, ann, "") == ["The cap is [MASK].", "Nike shoes are very [MASK]."]
    assert await choices(wire, ann, "NIKE") == ["Nike shoes are very [MASK]."]
    (asked,) = await choices(wire, ann, "cap")
    assert (await wire.slash(ann, "fill", text=asked))["embeds"]


async def test_questions_that_discord_takes_no_choice_for_are_not_offered(wire: Wire, ann: Person) -> None:
    await wire.ask(ann, f"The {'very ' * 20}good cap is [MASK]")
    assert await choices(wire, ann, "") == []


async def choices(wire: Wire, person: Person, typed: str) -> list[str]:
    """What is offered for the text of /fill, newest first."""
    return [one["value"] for one in await person.complete(wire.channel_id, "fill", "text", typed)]
