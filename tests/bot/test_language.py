"""A bot of another language: what it says, and how Discord shows its commands to readers of each language."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.people import Person
from support.wire import Wire, wired

from bot.sandbox.interactions.command_rules import SLASH
from bot.texts import DEFAULT, languages, texts_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> AsyncIterator[Wire]:
    """A bot that speaks German."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(models_folder, home / "models")
    async with wired(home, language="de") as running:
        yield running


async def test_help_is_in_the_language_of_the_bot(wire: Wire, ann: Person) -> None:
    (embed,) = (await wire.say(ann, "!help"))["embeds"]
    german = texts_of("de")
    assert embed["title"] == german["help"]["title"]
    assert german["commands"]["fill"] in "\n".join(field["value"] for field in embed["fields"])


async def test_help_on_one_command_is_in_the_language_of_the_bot(wire: Wire, ann: Person) -> None:
    (embed,) = (await wire.say(ann, "!help fill"))["embeds"]
    german = texts_of("de")["commands"]
    assert embed["description"] == german["fill"]
    assert german["fill_text"] in embed["fields"][0]["value"]


async def test_a_reply_is_in_the_language_of_the_bot(wire: Wire, ann: Person) -> None:
    (embed,) = (await wire.ask(ann))["embeds"]
    assert embed["fields"][0]["name"] == "Beste Wörter"
    assert "Modell v" in embed["footer"]["text"]
    assert "\u00a0%" in embed["fields"][0]["value"]


async def test_an_error_is_in_the_language_of_the_bot(wire: Wire, ann: Person) -> None:
    assert (await wire.say(ann, "!help nothing"))["content"].startswith("Diesen Befehl gibt es nicht.")


async def test_discord_gets_the_descriptions_in_every_language(wire: Wire) -> None:
    others = set(languages()) - {DEFAULT}
    registered = wire.sandbox.world.commands.values()
    commands = {one["name"]: one for one in registered if one["type"] == SLASH}
    assert commands["fill"]["description"] == texts_of(DEFAULT)["commands"]["fill"]
    for language in others:
        texts = texts_of(language)["commands"]
        assert {
            name: command["description_localizations"][language] for name, command in commands.items()
        } == {name: texts[name] for name in commands}
        options = {option["name"]: option for option in commands["fill"]["options"]}
        assert {name: option["description_localizations"][language] for name, option in options.items()} == {
            name: texts[f"fill_{name}"] for name in options
        }
