"""Registering commands one by one, and what their options must fit, without a client."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.sandbox.errors import ApiError, InvalidBodyError
from bot.sandbox.interactions.commands import checked_options, register_command, register_commands
from bot.sandbox.world.seed import GUILD_ID, seed_world

COMMAND = {"name": "fill", "description": "Fills"}


@pytest.fixture
def world():
    return seed_world(lambda: datetime(2024, 1, 1, tzinfo=UTC), "token")


def option(kind: int, **limits) -> list[dict]:
    return [{"type": kind, "name": "x", "description": "X", **limits}]


def test_ids_stay_when_a_command_is_registered_again(world):
    first = register_commands(world, None, [COMMAND])[0]
    again = register_commands(world, None, [{**COMMAND, "description": "Other"}])[0]
    assert first["id"] == again["id"]
    assert first["version"] != again["version"]
    assert register_command(world, GUILD_ID, COMMAND)["guild_id"] == str(GUILD_ID)


@pytest.mark.parametrize(
    "bodies",
    [
        [COMMAND, COMMAND],
        [{"name": "Upper", "description": "x"}],
        [{"name": "two words", "description": "x"}],
        [{"name": "x" * 33, "description": "x"}],
        [{"name": "fill"}],
        [{"name": "fill", "description": "x" * 101}],
        [1],
        "fill",
    ],
)
def test_what_breaks_the_rules_is_refused_and_changes_nothing(world, bodies):
    register_commands(world, None, [COMMAND])
    with pytest.raises(InvalidBodyError):
        register_commands(world, None, bodies)
    assert [key[1] for key in world.commands] == ["fill"]


@pytest.mark.parametrize(
    ("defined", "value"),
    [
        (option(3, max_length=2), "abc"),
        (option(3, min_length=2), "a"),
        (option(3, choices=[{"name": "a", "value": "a"}]), "b"),
        (option(3), 1),
        (option(4), 1.5),
        (option(4), True),
        (option(4, min_value=1), 0),
        (option(4, max_value=1), 2),
        (option(5), "true"),
        (option(10), "1"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(defined, value):
    with pytest.raises(ApiError):
        checked_options(defined, [{"name": "x", "value": value}], is_final=True)


@pytest.mark.parametrize(("kind", "value"), [(3, "a"), (4, 1), (5, False), (10, 1), (10, 1.5)])
def test_a_value_that_fits_gets_its_type(kind, value):
    checked = checked_options(option(kind), [{"name": "x", "value": value}], is_final=True)
    assert checked == [{"name": "x", "type": kind, "value": value}]
