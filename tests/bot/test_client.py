"""The bot as a whole over the wire: where it answers, and what it says when something goes wrong."""

import re

import discord
import pytest
from structlog.testing import capture_logs
from support.databases import of_sqlite
from support.people import Person
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel, add_guild, add_person
from support.wire import EPHEMERAL, Wire

from bot.texts import DEFAULT, texts_of
from storage.backends import sqlite

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = texts_of(DEFAULT)
COMMANDS = sorted(name for name in TEXTS["commands"] if "_" not in name)  # the others are options


@pytest.mark.parametrize("text", ["!play something", "!ban ann", "!mode", "!stat", "!file [x]", "!skip"])
async def test_commands_of_other_bots_are_not_answered(wire: Wire, ann: Person, text: str) -> None:
    since = ann.mark()
    await ann.say(wire.channel_id, text)
    reply = await wire.ask(ann)
    by_the_bot = [
        body["id"]
        for name, body in ann.events[since:]
        if name == "MESSAGE_CREATE" and body["author"]["id"] == str(wire.sandbox.bot_user_id)
    ]
    assert by_the_bot == [reply["id"]]


async def test_admins_commands_are_shown_to_those_who_may_manage_the_server(wire: Wire) -> None:
    """No setting names a role of admins here."""
    shown_to = {
        one["name"]: one.get("default_member_permissions") for one in wire.sandbox.world.commands.values()
    }
    admins = {command.name for command in wire.app.bot.commands if command.extras["admin"]}
    assert {name for name, needed in shown_to.items() if needed is not None} == admins
    assert {int(shown_to[name]) for name in admins} == {1 << 5}


async def test_an_admin_may_use_them_in_a_direct_message(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        channel_id = await ada.direct_channel_id(wire.sandbox.bot_user_id)
        reply = await wire.slash(ada, "resume", channel_id=channel_id)
    assert reply["content"] == "Nightly promotion is not paused."


async def named_in_help(wire: Wire, person: Person) -> list[str]:
    fields = (await wire.say(person, "!help"))["embeds"][0]["fields"]
    return sorted(re.findall(r"^`!(\w+)", "\n".join(field["value"] for field in fields), re.MULTILINE))


async def test_help_names_every_command_to_an_admin(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        assert await named_in_help(wire, ada) == COMMANDS


async def test_help_hides_what_one_may_not_do(wire: Wire, ann: Person) -> None:
    admins = {command.name for command in wire.app.bot.commands if command.extras["admin"]}
    assert await named_in_help(wire, ann) == [name for name in COMMANDS if name not in admins]


async def test_help_on_fill_has_an_example(wire: Wire, ann: Person) -> None:
    (embed,) = (await wire.say(ann, "!help fill"))["embeds"]
    (example,) = [field["value"].strip("`") for field in embed["fields"] if field["name"] == "Example"]
    assert (await wire.say(ann, example))["embeds"]


async def test_every_command_is_a_slash_command_too(wire: Wire) -> None:
    slash = wire.app.bot.tree.get_commands(type=discord.AppCommandType.chat_input)
    assert {command.name for command in slash} == set(COMMANDS)


ELSEWHERE = "I only work in my team's server"


async def test_other_servers_are_told_so_once_and_nothing_else(wire: Wire, ann: Person) -> None:
    bot_id = wire.sandbox.bot_user_id
    guild = add_guild(wire.sandbox, "Elsewhere", member_ids=[ann.id, bot_id])
    channel = add_channel(wire.sandbox, "talk", guild_id=guild.id)
    for text in ("!fill shoes are [MASK]", "!help", "!modell", "!retrain"):
        await ann.say(channel.id, text)
    await wire.ask(ann)
    by_the_bot = [m for m in await ann.messages(channel.id) if m["author"]["id"] == str(bot_id)]
    assert [m["content"].startswith(ELSEWHERE) for m in by_the_bot] == [True]


async def test_slash_commands_of_other_servers_are_told_so(wire: Wire, ann: Person) -> None:
    guild = add_guild(wire.sandbox, "Elsewhere too", member_ids=[ann.id, wire.sandbox.bot_user_id])
    channel = add_channel(wire.sandbox, "talk", guild_id=guild.id)
    for name, options in (("fill", {"text": "shoes are [MASK]"}), ("retrain", {})):
        reply = await wire.slash(ann, name, channel_id=channel.id, **options)
        assert reply["content"].startswith(ELSEWHERE)
        assert reply["flags"] & EPHEMERAL


async def test_thumbs_of_other_servers_are_ignored(wire: Wire, ann: Person) -> None:
    """Also on a reply that was made while the server was on the list."""
    reply = await wire.ask(ann)
    told = {
        "channel_id": reply["channel_id"],
        "message_id": reply["id"],
        "guild_id": "42",
        "user_id": "43",
        "emoji": {"id": None, "name": "👍"},
        "type": 0,
        "burst": False,
    }
    faults_of(wire.sandbox).send_event("MESSAGE_REACTION_ADD", told)
    await ann.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1))


async def test_direct_messages_by_strangers_are_told_so_once(wire: Wire, ann: Person) -> None:
    """Somebody who shares only another server with the bot."""
    stranger = add_person(wire.sandbox, "stranger")
    add_guild(wire.sandbox, "Strangers", member_ids=[stranger.id, wire.sandbox.bot_user_id])
    async with wire.person("stranger") as person:
        channel_id = await person.direct_channel_id(wire.sandbox.bot_user_id)
        for text in ("!fill shoes are [MASK]", "!help", "!modell", "!retrain"):
            await person.say(channel_id, text)
        await wire.ask(ann)
        heard = [m["content"] for m in await person.messages(channel_id)]
        assert len(heard) == 5
        assert sum(content.startswith(ELSEWHERE) for content in heard) == 1


async def test_a_fault_is_told_with_a_reference_that_is_in_the_log(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("bot.answering.write_queue.record_predictions", broken)
    with capture_logs() as logs:
        reply = await wire.say(ann, "!fill shoes are [MASK]")
    reference = re.search(r"\(reference ([0-9A-F]{6})\)", reply["content"])[1]
    (line,) = [line for line in logs if line["event"] == "command.failed"]
    assert line["reference"] == reference
    assert isinstance(line["exc_info"], ZeroDivisionError)
    assert "secret detail" not in reply["content"]


async def test_a_fault_in_a_slash_command_is_told_the_same_way(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("bot.answering.write_queue.record_predictions", broken)
    reply = await wire.slash(ann, "fill", text="shoes are [MASK]")
    assert "(reference " in reply["content"]


async def test_a_fault_in_counting_a_vote_does_not_stop_the_bot(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    reply = await wire.ask(ann)
    with capture_logs() as logs, monkeypatch.context() as patch:
        patch.setattr("bot.answering.write_queue.apply_thumbs", broken)
        await ann.react(reply, "👍")
        await wire.ask(ann)
    assert [line["handler"] for line in logs if line["event"] == "event.failed"] == ["on_raw_reaction_add"]
    await ann.react(reply, "👎")
    await wire.until_votes(reply, (ann, -1))


@of_sqlite
async def test_a_database_that_cannot_be_written_is_told_in_a_sentence(
    wire: Wire, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "PRAGMAS", (*sqlite.PRAGMAS, "PRAGMA query_only = ON"))
        await wire.app.database.close()  # connections from now on are read-only
        reply = await wire.say(ann, "!fill shoes are [MASK]")
    await wire.app.database.close()
    assert re.fullmatch(
        r"The database at .+ cannot be used \(attempt to write a readonly database\)\. .+", reply["content"]
    )
    assert await wire.ask(ann)


async def test_what_a_person_typed_is_shown_back_harmless_and_short(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        reply = await wire.say(ada, "!rollback **@everyone** " + "x" * 1900)
        assert reply["content"].startswith(r"There is no model version '\*\*\@everyone\*\*")
        assert len((await wire.say(ada, "!rollback " + "x" * 1900))["content"]) <= 2000


async def test_a_misspelled_option_is_told_the_usage(wire: Wire) -> None:
    async with wire.person("ada") as ada:
        told = (await wire.say(ada, "!retrain everything"))["content"]
    assert told == "I did not understand that. Try `!retrain [votes|domain]`."


async def test_help_tells_how_one_command_is_used(wire: Wire, ann: Person) -> None:
    embed = (await wire.say(ann, "!help rollback"))["embeds"][0]
    assert embed["title"] == "!rollback [VERSION]"
    assert embed["fields"][0]["value"].startswith("`version` — The version to go back to")
    assert (await wire.say(ann, "!help dance"))[
        "content"
    ] == "There is no such command. `!help` lists them all."
    assert {choice["value"] for choice in await ann.complete(wire.channel_id, "help", "name", "ro")} == {
        "rollback"
    }


async def test_a_slash_command_that_is_no_more_is_told(wire: Wire, ann: Person) -> None:
    tree = wire.app.bot.tree
    removed = tree.remove_command("model")
    assert removed is not None
    reply = await wire.slash(ann, "model")
    tree.add_command(removed)
    assert reply["content"].startswith("That did not work: the command may have changed.")


async def test_a_malformed_event_is_survived(wire: Wire, ann: Person) -> None:
    """One whose handler fails; what discord.py itself cannot parse ends the connection."""
    faults_of(wire.sandbox).send_event("SOMETHING_NEW", {"a": 1})
    assert await wire.ask(ann)


async def test_a_lost_gateway_is_mended(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).drop_gateway(4000)
    assert await wire.ask(ann)
    faults_of(wire.sandbox).ask_to_reconnect()
    assert await wire.ask(ann)


async def test_a_rate_limit_is_waited_for(wire: Wire, ann: Person) -> None:
    faults_of(wire.sandbox).rate_limit("POST", "/messages$", retry_after_s=0.2)
    assert await wire.ask(ann)
