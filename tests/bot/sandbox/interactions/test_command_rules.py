"""What Discord refuses in commands, in their options, and in what autocomplete offers."""

from __future__ import annotations

import pytest
from support.people import RefusedError

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.interactions.command_rules import (
    OptionType,
    check_command,
    check_counts,
    check_suggestions,
)


def command(*options: dict, **changes) -> dict:
    return {"name": "fill", "description": "Fills", "type": 1, "options": list(options), **changes}


def option(kind: int = OptionType.STRING, **changes) -> dict:
    return {"type": kind, "name": "x", "description": "X", **changes}


def choices(*values: object, **changes) -> list[dict]:
    return [{"name": str(at), "value": value, **changes} for at, value in enumerate(values)]


GROUP = option(2, options=[option(1, options=[option(name="y")])])


@pytest.mark.parametrize(
    "body",
    [
        command(option(required=True, min_length=0, max_length=6000), option(name="y", choices=choices("a"))),
        command(option(OptionType.INTEGER, min_value=-5, max_value=5, autocomplete=True)),
        command(option(OptionType.NUMBER, choices=choices(0.5, 1))),
        command(option(7, channel_types=[0, 15])),
        command(GROUP),
        command(name="größe", name_localizations={"de": "füllen", "th": "คำสั่ง", "hi": "हिन्दी"}),
        command(default_member_permissions="32", contexts=[0, 1, 2], integration_types=[0], nsfw=False),
        command(default_member_permissions=32, dm_permission=True),
        {"name": "Look Up", "type": 2},
    ],
)
def test_a_command_that_fits_is_taken(body):
    check_command(body, "")


@pytest.mark.parametrize(
    "body",
    [
        command(type=0),
        command(type=5),
        command(type="1"),
        command(name=None),
        command(name="Fill"),
        command(name="two words"),
        command(name="dots.dots"),
        command(description=""),
        command(description=1),
        command(name_localizations={"xx": "x"}),
        command(name_localizations={"de": "Groß"}),
        command(name_localizations={"de": "x" * 33}),
        command(name_localizations=["de"]),
        command(description_localizations={"de": "x" * 101}),
        command(default_member_permissions="manage"),
        command(default_member_permissions=-1),
        command(default_member_permissions=[32]),
        command(contexts=[3]),
        command(contexts=[0, 0]),
        command(contexts=[]),
        command(contexts="0"),
        command(integration_types=[2]),
        command(nsfw="no"),
        command(dm_permission=1),
        command(options={}),
        command(*[option(name=f"x{at}") for at in range(26)]),
        command(option(name="Upper")),
        command(option(name="x" * 33)),
        command(option(description="")),
        command(option(description="x" * 101)),
        command(option(0)),
        command(option(12)),
        command({"name": "x", "description": "X"}),
        command(option(required="yes")),
        command(option(), option()),
        command(option(), option(name="y", required=True)),
        command(option(choices=choices(*"x" * 26))),
        command(option(choices=[{"name": "a", "value": "1"}, {"name": "a", "value": "2"}])),
        command(option(choices=choices("x" * 101))),
        command(option(choices=choices(1))),
        command(option(choices=[{"name": "x" * 101, "value": "x"}])),
        command(option(choices=[{"value": "x"}])),
        command(option(choices=choices("x", name_localizations={"xx": "x"}))),
        command(option(OptionType.INTEGER, choices=choices(1.5))),
        command(option(OptionType.INTEGER, choices=choices(1 << 53))),
        command(option(OptionType.NUMBER, choices=choices("1"))),
        command(option(choices=choices("a"), autocomplete=True)),
        command(option(autocomplete="yes")),
        command(option(5, choices=choices("a"))),
        command(option(5, autocomplete=True)),
        command(option(min_length=6001)),
        command(option(min_length=-1)),
        command(option(max_length=0)),
        command(option(min_length=3, max_length=2)),
        command(option(min_value=1)),
        command(option(OptionType.INTEGER, min_value=1.5)),
        command(option(OptionType.INTEGER, min_value=3, max_value=2)),
        command(option(OptionType.INTEGER, max_length=5)),
        command(option(7, channel_types=[99])),
        command(option(options=[option(name="y")])),
        command(option(1, options=[GROUP])),
        command(option(2, options=[option(name="y")])),
        command(GROUP, option(name="z")),
        command(*[option(name=f"x{at}", choices=choices(*["x" * 100] * 25)) for at in range(4)]),
        {"name": "Look Up", "type": 2, "description": "not for these"},
        {"name": "Look Up", "type": 3, "options": [option()]},
        {"name": "x" * 33, "type": 2},
    ],
)
def test_a_command_that_does_not_fit_is_refused(body):
    with pytest.raises(InvalidBodyError):
        check_command(body, "")


def test_more_commands_than_discord_takes_of_a_kind_are_refused():
    check_counts([{"name": str(at), "type": 2} for at in range(15)])
    with pytest.raises(InvalidBodyError):
        check_counts([{"name": str(at), "type": 2} for at in range(16)])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (OptionType.STRING, ["a", "x" * 100]),
        (OptionType.INTEGER, [0, -5]),
        (OptionType.NUMBER, [1, 0.5]),
        (OptionType.STRING, []),
    ],
)
def test_suggestions_that_fit_are_taken(kind, values):
    check_suggestions({"choices": choices(*values)}, kind)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (OptionType.STRING, {}),
        (OptionType.STRING, {"choices": {}}),
        (OptionType.STRING, {"choices": ["a"]}),
        (OptionType.STRING, {"choices": choices(*"x" * 26)}),
        (OptionType.STRING, {"choices": choices("x" * 101)}),
        (OptionType.STRING, {"choices": choices("")}),
        (OptionType.STRING, {"choices": choices(1)}),
        (OptionType.STRING, {"choices": [{"name": "", "value": "x"}]}),
        (OptionType.STRING, {"choices": [{"name": "x" * 101, "value": "x"}]}),
        (OptionType.STRING, {"choices": [{"name": 1, "value": "x"}]}),
        (OptionType.STRING, {"choices": [{"name": "x"}]}),
        (OptionType.STRING, {"choices": choices("x", name_localizations={"xx": "x"})}),
        (OptionType.INTEGER, {"choices": choices("1")}),
        (OptionType.INTEGER, {"choices": choices(1.5)}),
        (OptionType.INTEGER, {"choices": choices(True)}),
        (OptionType.NUMBER, {"choices": choices("0.5")}),
    ],
)
def test_suggestions_that_do_not_fit_are_refused(kind, data):
    with pytest.raises(InvalidBodyError):
        check_suggestions(data, kind)


async def test_suggestions_fit_the_option_that_is_being_completed(sandbox, make_bot, start, ben):
    bot = make_bot()
    await start(bot)
    scope = (sandbox.application_id, sandbox.guild_id)
    await bot.http.upsert_guild_command(*scope, command(option(OptionType.INTEGER, autocomplete=True)))
    asked = {"name": "fill", "options": [{"name": "x", "value": "1", "focused": True}]}
    await ben.request(
        "POST", "/interactions", {"type": 4, "channel_id": str(sandbox.channel_id), "data": asked}
    )
    interaction = await bot.until("interaction")
    path = f"/interactions/{interaction.id}/{interaction.token}/callback"
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("POST", path, {"type": 8, "data": {"choices": [{"name": "1", "value": "1"}]}})
    await ben.request("POST", path, {"type": 8, "data": {"choices": [{"name": "1", "value": 1}]}})
