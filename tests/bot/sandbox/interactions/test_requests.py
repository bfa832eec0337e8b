"""Slash commands over the wire: options, ephemeral replies, deferral, follow-ups, autocomplete."""

from __future__ import annotations

import discord
import pytest
from discord import app_commands
from support.people import RefusedError


@pytest.fixture
async def bot(sandbox, make_bot, start):
    bot = make_bot()

    async def suggest(_, current: str):
        return [app_commands.Choice(name=one, value=one) for one in ("v0001", "v0002") if current in one]

    @bot.hybrid_command()
    @app_commands.autocomplete(version=suggest)
    async def model(ctx, version: str = "champion", *, count: int = 1):
        await ctx.send(f"{version} {count}")

    @bot.hybrid_command()
    async def whisper(ctx):
        await ctx.send("for you", ephemeral=True)

    @bot.hybrid_command()
    async def slow(ctx, private: bool = False):
        await ctx.defer(ephemeral=private)
        await ctx.send("first")
        await ctx.send("second")

    @bot.tree.command(description="Edits its own reply")
    async def edits(interaction: discord.Interaction):
        await interaction.response.send_message("one")
        await interaction.edit_original_response(content="two")
        original = await interaction.original_response()
        extra = await interaction.followup.send(f"was {original.content}", wait=True)
        await extra.edit(content=f"{extra.content}!")
        await interaction.delete_original_response()

    @bot.tree.command(description="Greets somebody")
    async def greet(interaction: discord.Interaction, who: discord.Member):
        await interaction.response.send_message(f"hello {who.name}")

    @bot.tree.command(description="For admins")
    @app_commands.default_permissions(manage_guild=True)
    async def guarded(interaction: discord.Interaction):
        await interaction.response.send_message("done")

    @bot.tree.command(description="In guilds only")
    @app_commands.guild_only()
    async def here(interaction: discord.Interaction):
        await interaction.response.send_message("here")

    group = app_commands.Group(name="reports", description="Reports")
    bot.tree.add_command(group)

    @group.command(name="last", description="The last one")
    async def last(interaction: discord.Interaction, kind: str):
        await interaction.response.send_message(f"last {kind}")

    async def setup_hook():
        bot.synced = await bot.tree.sync()

    bot.setup_hook = setup_hook
    await start(bot)
    return bot


async def test_commands_are_registered_and_keep_their_ids(sandbox, bot, ben):
    again = await bot.tree.sync()
    assert {one.name: one.id for one in again} == {one.name: one.id for one in bot.synced}
    listed = await ben.request("GET", f"/applications/{sandbox.application_id}/commands")
    assert {one["name"] for one in listed} >= {"model", "whisper", "slow", "reports"}
    with pytest.raises(RefusedError, match="50001"):
        await ben.request("PUT", f"/applications/{sandbox.application_id}/commands", [])
    await bot.tree.sync(guild=discord.Object(sandbox.guild_id))
    assert await bot.tree.fetch_commands(guild=discord.Object(sandbox.guild_id)) == []


async def test_a_slash_command_is_answered_with_its_options(sandbox, bot, ben):
    await ben.slash(sandbox.channel_id, "model", version="v0007", count=3)
    reply = await ben.wait_for_message()
    assert reply["content"] == "v0007 3"
    assert reply["interaction_metadata"]["name"] == "model"
    assert reply["interaction_metadata"]["user"]["id"] == str(ben.id)
    assert reply["type"] == 20
    assert (await ben.wait_for_event("INTERACTION_SUCCESS"))["id"] == reply["interaction_metadata"]["id"]


async def test_the_same_command_works_with_the_prefix(sandbox, bot, ben):
    await ben.say(sandbox.channel_id, "!model v0007")
    assert (await ben.wait_for_message(lambda one: one["author"]["bot"]))["content"] == "v0007 1"


async def test_subcommands_and_member_options(sandbox, bot, ada, ben):
    await ben.slash(sandbox.channel_id, "reports last", kind="nightly")
    assert await ben.wait_for_message(lambda one: one["content"] == "last nightly")
    await ben.slash(sandbox.channel_id, "greet", who=str(ada.id))
    reply = await ben.wait_for_message(lambda one: one["content"] == "hello ada")
    assert reply["interaction_metadata"]["name"] == "greet"


async def test_an_ephemeral_reply_is_for_one_person(sandbox, bot, ada, ben):
    await ben.slash(sandbox.channel_id, "whisper")
    reply = await ben.wait_for_message()
    assert reply["flags"] & 64
    assert (await ben.message(reply))["content"] == "for you"
    assert await ada.messages(sandbox.channel_id) == []
    with pytest.raises(RefusedError, match="10008"):
        await ada.message(reply)
    with pytest.raises(RefusedError, match="10008"):
        await ada.react(reply, "👍")
    assert all(name != "MESSAGE_CREATE" for name, _ in ada.events)
    await ben.delete(reply)


@pytest.mark.parametrize("private", [False, True])
async def test_the_first_reply_after_a_deferral_takes_its_place(sandbox, bot, ben, private):
    await ben.slash(sandbox.channel_id, "slow", private=private)
    waiting = await ben.wait_for_event("MESSAGE_CREATE")
    assert waiting["flags"] & 128
    assert bool(waiting["flags"] & 64) == private
    first = await ben.wait_for_event("MESSAGE_UPDATE")
    assert (first["id"], first["content"], first["flags"] & 128) == (waiting["id"], "first", 0)
    second = await ben.wait_for_message(lambda one: one["content"] == "second")
    assert second["interaction_metadata"]["original_response_message_id"] == first["id"]


async def test_the_original_is_read_edited_and_deleted(sandbox, bot, ben):
    await ben.slash(sandbox.channel_id, "edits")
    await ben.wait_for_event("MESSAGE_DELETE")
    assert [one["content"] for one in await ben.messages(sandbox.channel_id)] == ["was two!"]


async def test_autocomplete_offers_choices(sandbox, bot, ben):
    choices = await ben.complete(sandbox.channel_id, "model", "version", "2")
    assert [one["value"] for one in choices] == ["v0002"]


async def test_a_second_answer_is_refused(sandbox, bot, ben):
    await ben.slash(sandbox.channel_id, "model")
    await ben.wait_for_message()
    interaction = await bot.until("interaction")
    path = f"/interactions/{interaction.id}/{interaction.token}/callback"
    with pytest.raises(RefusedError, match="40060"):
        await ben.request("POST", path, {"type": 4, "data": {"content": "again"}})
    with pytest.raises(RefusedError, match="10062"):
        await ben.request("POST", f"/interactions/{interaction.id}/forged/callback", {"type": 4})
    webhook = f"/webhooks/{sandbox.application_id}"
    with pytest.raises(RefusedError, match="50027"):
        await ben.request("POST", f"{webhook}/forged", {"content": "forged"})
    other = await ben.say(sandbox.channel_id, "mine")
    with pytest.raises(RefusedError, match="10008"):
        await ben.request("PATCH", f"{webhook}/{interaction.token}/messages/{other['id']}", {"content": "x"})


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("nothing", {}, 10063),
        ("model", {"forged": "x"}, 50035),
        ("model", {"count": "three"}, 50035),
        ("greet", {}, 50035),
        ("greet", {"who": "1"}, 50035),
        ("guarded", {}, 50013),
    ],
)
async def test_a_command_that_does_not_fit_is_refused(sandbox, bot, ben, name, options, code):
    with pytest.raises(RefusedError) as refused:
        await ben.slash(sandbox.channel_id, name, **options)
    assert refused.value.code == code


async def test_default_permissions_let_the_admin_through(sandbox, bot, ada):
    await ada.slash(sandbox.channel_id, "guarded")
    assert await ada.wait_for_message(lambda one: one["content"] == "done")


async def test_commands_in_direct_messages(sandbox, bot, ben):
    channel_id = await ben.direct_channel_id(sandbox.bot_user_id)
    await ben.slash(channel_id, "model")
    reply = await ben.wait_for_message()
    assert reply["content"] == "champion 1"
    assert "guild_id" not in reply
    assert (await bot.until("interaction")).guild_id is None
    with pytest.raises(RefusedError, match="10063"):
        await ben.slash(channel_id, "here")


async def test_single_commands_are_added_read_and_deleted(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    scope = (sandbox.application_id, sandbox.guild_id)
    added = await bot.http.upsert_guild_command(*scope, {"name": "extra", "description": "Extra"})
    path = f"/applications/{scope[0]}/guilds/{scope[1]}/commands/{added['id']}"
    assert (await ben.request("GET", path))["name"] == "extra"
    await bot.http.delete_guild_command(*scope, added["id"])
    for missing in (path, f"/applications/{scope[0]}/guilds/1/commands", "/applications/1/commands"):
        with pytest.raises(RefusedError):
            await ben.request("GET", missing)
