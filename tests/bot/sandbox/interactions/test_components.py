"""Buttons, menus and modals over the wire: what reaches the bot, and what cannot be forged."""

from __future__ import annotations

import asyncio

import discord
import pytest
from support.people import Person, RefusedError
from support.sandbox_world import add_person


class Form(discord.ui.Modal, title="A form"):
    word = discord.ui.TextInput(label="Word", custom_id="word", max_length=10)

    async def on_submit(self, interaction):
        await interaction.response.edit_message(content=f"suggested {self.word.value}")


class Panel(discord.ui.View):
    def __init__(self):
        super().__init__(timeout=None)
        self.choose.required = False

    @discord.ui.select(
        custom_id="words",
        min_values=0,
        max_values=2,
        options=[discord.SelectOption(label=one) for one in ("soft", "light", "stiff")],
    )
    async def choose(self, interaction, menu):
        await interaction.response.send_message(f"chose {sorted(menu.values)}", ephemeral=True)

    @discord.ui.button(custom_id="form", label="Suggest")
    async def open_form(self, interaction, _):
        await interaction.response.send_modal(Form())

    @discord.ui.button(custom_id="count", label="0")
    async def count(self, interaction, button):
        button.label = str(int(button.label) + 1)
        await interaction.response.edit_message(view=self)

    @discord.ui.button(custom_id="off", label="Off", disabled=True)
    async def never(self, interaction, _):
        pass

    @discord.ui.button(custom_id="silent", label="Silent")
    async def say_nothing(self, interaction, _):
        pass


@pytest.fixture
async def bot(make_bot, start):
    bot = make_bot()
    await start(bot)
    return bot


@pytest.fixture
async def panel(sandbox, bot, ben):
    await bot.get_channel(sandbox.channel_id).send("panel", view=Panel())
    return await ben.wait_for_message(lambda one: one["content"] == "panel")


async def test_a_choice_in_a_menu_reaches_the_bot(bot, ben, panel):
    await ben.select(panel, "words", ["stiff", "soft"])
    reply = await ben.wait_for_message(lambda one: one["content"] == "chose ['soft', 'stiff']")
    assert reply["flags"] & 64
    assert reply["interaction_metadata"]["interacted_message_id"] == panel["id"]
    await ben.select(panel, "words", [])
    assert await ben.wait_for_message(lambda one: one["content"] == "chose []")


@pytest.mark.parametrize(
    ("custom_id", "values"),
    [
        ("words", ["forged"]),
        ("words", ["soft", "light", "stiff"]),
        ("words", ["soft", "soft"]),
        ("forged", []),
        ("off", []),
    ],
)
async def test_what_the_message_does_not_offer_is_refused(bot, ben, panel, custom_id, values):
    with pytest.raises(RefusedError, match="COMPONENT_VALIDATION_FAILED"):
        await ben.select(panel, custom_id, values)


async def test_a_button_may_edit_its_message(bot, ben, panel):
    await ben.click(panel, "count")
    edited = await ben.wait_for_event("MESSAGE_UPDATE")
    labels = [one["label"] for one in edited["components"][1]["components"]]
    assert labels[1] == "1"
    assert edited["content"] == "panel"


async def test_a_modal_goes_there_and_back(bot, ada, ben, panel):
    await ben.click(panel, "form")
    modal = await ben.wait_for_event("INTERACTION_MODAL_CREATE")
    assert modal["title"] == "A form"
    with pytest.raises(RefusedError, match="10062"):
        await ada.submit(modal, {"word": "comfy"})
    with pytest.raises(RefusedError, match="50035"):
        await ben.submit(modal, {"word": "far too long a word"})
    await ben.submit(modal, {"word": "comfy"})
    assert await ben.wait_for_message(lambda one: one["content"] == "suggested comfy")
    with pytest.raises(RefusedError, match="10062"):
        await ben.submit(modal, {"word": "again"})


async def test_a_modal_may_hold_text_and_menus(sandbox, bot, ben):
    filled = asyncio.get_running_loop().create_future()

    class Labelled(discord.ui.Modal, title="Labelled"):
        about = discord.ui.TextDisplay("Read me")
        kind = discord.ui.Label(
            text="Kind",
            component=discord.ui.Select(custom_id="kind", options=[discord.SelectOption(label="shoe")]),
        )

        async def on_submit(self, interaction):
            filled.set_result(self.kind.component.values)
            await interaction.response.send_message("thanks", ephemeral=True)

    @bot.tree.command(description="Opens the form")
    async def opens(interaction: discord.Interaction):
        await interaction.response.send_modal(Labelled())

    await bot.tree.sync()
    await ben.slash(sandbox.channel_id, "opens")
    modal = await ben.wait_for_event("INTERACTION_MODAL_CREATE")
    answer = {"type": 18, "component": {"type": 3, "custom_id": "kind", "values": ["shoe"]}}
    body = {"custom_id": modal["custom_id"], "components": [answer]}
    submit = {"type": 5, "channel_id": modal["channel_id"], "data": body}
    with pytest.raises(RefusedError, match="50035"):
        await ben.request("POST", "/interactions", {**submit, "data": {**body, "components": []}})
    await ben.request("POST", "/interactions", submit)
    assert await asyncio.wait_for(filled, 5) == ["shoe"]
    thanks = await ben.wait_for_message(lambda one: one["content"] == "thanks")
    assert thanks["interaction_metadata"]["triggering_interaction_metadata"]["name"] == "opens"


async def test_a_menu_of_people_resolves_them(sandbox, bot, ada, ben):
    chosen = asyncio.get_running_loop().create_future()

    class People(discord.ui.View):
        @discord.ui.select(cls=discord.ui.UserSelect, custom_id="who")
        async def choose(self, interaction, menu):
            chosen.set_result([one.name for one in menu.values])
            await interaction.response.defer()

    await bot.get_channel(sandbox.channel_id).send("who?", view=People())
    message = await ben.wait_for_message()
    await ben.select(message, "who", [str(ada.id)])
    assert await asyncio.wait_for(chosen, 5) == ["ada"]
    with pytest.raises(RefusedError, match="50035"):
        await ben.select(message, "who", ["1"])


async def test_an_interaction_without_an_answer_fails(sandbox, bot, ben, panel):
    await ben.click(panel, "silent")
    begun = await ben.wait_for_event("INTERACTION_CREATE")
    failed = await ben.wait_for_event("INTERACTION_FAILURE")
    assert failed["id"] == begun["id"]
    late = [args[0] for name, args in bot.heard if name == "interaction"][-1]
    with pytest.raises(discord.NotFound) as unknown:
        await late.response.send_message("too late")
    assert unknown.value.code == 10062


async def test_a_stranger_can_use_nothing(sandbox, bot, panel):
    add_person(sandbox, "dan")
    async with Person(sandbox.url, "dan") as dan:
        with pytest.raises(RefusedError, match="50001"):
            await dan.click(panel, "count")
        with pytest.raises(RefusedError, match="50001"):
            await dan.slash(sandbox.channel_id, "model")


async def test_a_layout_of_components_v2_is_clickable(sandbox, bot, ben):
    pressed = asyncio.Event()

    class Press(discord.ui.Button):
        async def callback(self, interaction):
            pressed.set()
            await interaction.response.defer()

    layout = discord.ui.LayoutView()
    section = discord.ui.Section("some text", accessory=Press(custom_id="press", label="Press"))
    layout.add_item(discord.ui.Container(section))
    await bot.get_channel(sandbox.channel_id).send(view=layout)
    message = await ben.wait_for_message()
    await ben.click(message, "press")
    await asyncio.wait_for(pressed.wait(), 5)
    await ben.wait_for_event("INTERACTION_SUCCESS")
