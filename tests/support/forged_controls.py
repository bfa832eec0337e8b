"""Messages of the bot with a control of any id, and what people who use it are told."""

from discord import ButtonStyle, SelectOption, ui
from support.people import Json, Person
from support.wire import EPHEMERAL, Wire


async def forged(wire: Wire, person: Person, custom_id: str, *, channel_id: int, word: str = "") -> Json:
    """A message of the bot's with one control that carries this id; a menu where there is a word."""
    view = ui.View(timeout=None)
    if word:
        view.add_item(ui.Select(custom_id=custom_id, options=[SelectOption(label=word, value=word)]))
    else:
        view.add_item(ui.Button(custom_id=custom_id, label="press", style=ButtonStyle.danger))
    view.stop()  # no callback of its own
    sent = await wire.app.bot.get_partial_messageable(channel_id).send("look", view=view)
    return await person.wait_for_event("MESSAGE_CREATE", predicate=lambda body: body["id"] == str(sent.id))


async def said(person: Person, message: Json, custom_id: str, word: str = "") -> str:
    since = person.mark()
    if word:
        await person.select(message, custom_id, [word])
    else:
        await person.click(message, custom_id)
    line = await person.wait_for_message(lambda body: bool(body["flags"] & EPHEMERAL), since=since)
    content: str = line["content"]
    return content
