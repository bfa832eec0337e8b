"""Modals: those that the bot opens, and what a person enters."""

from dataclasses import replace
from typing import Any

from bot.sandbox.errors import ApiError, InvalidBodyError, Refusal
from bot.sandbox.fields import check_list, check_text
from bot.sandbox.interactions.components import MAX_MODAL_COMPONENTS, check_modal, walk
from bot.sandbox.interactions.inputs import MAX_INPUT_CHARS, TEXT_INPUT
from bot.sandbox.world.state import Event, Interaction, Json, World

ANSWER_KEYS = ("value", "values")


def show_modal(world: World, interaction: Interaction, form: Json) -> tuple[Interaction, list[Event]]:
    """Store a modal and show it to the person.

    Raises:
        ApiError: Title, custom id or components are missing or over a limit.
    """
    check_modal(form)
    shown = replace(interaction, modal=form)
    world.interactions[interaction.id] = shown
    told = {
        "id": str(interaction.id),
        "channel_id": str(interaction.channel_id),
        "application": {"id": str(world.bot_user_id), "name": world.users[world.bot_user_id].name},
        "nonce": interaction.nonce,
        "custom_id": form["custom_id"],
        "title": form["title"],
        "components": form["components"],
    }
    return shown, [Event("INTERACTION_MODAL_CREATE", told, frozenset({interaction.person_id}))]


def submitted_modal(world: World, person_id: int, called: Json) -> tuple[Interaction, Json]:
    """Return the interaction that opened the modal, and the modal's data with the person's input.

    The modal is found by ``custom_id``, and by ``id`` if given; it can be submitted once.

    Raises:
        ApiError: The bot has opened no such modal for this person, or a text is invalid.
    """
    opener = next(
        (
            one
            for one in reversed(world.interactions.values())
            if one.person_id == person_id
            and one.modal is not None
            and one.modal["custom_id"] == called.get("custom_id")
            and called.get("id", str(one.id)) == str(one.id)
        ),
        None,
    )
    if opener is None or opener.modal is None:
        raise ApiError(Refusal.UNKNOWN_INTERACTION)
    components = check_list(called.get("components"), "data.components", at_most=MAX_MODAL_COMPONENTS)
    answers = {one["custom_id"]: one for _, one in walk(components, "data.components") if "custom_id" in one}
    filled = [_filled(one, answers) for one in opener.modal["components"]]
    world.interactions[opener.id] = replace(opener, modal=None)
    return opener, {"custom_id": opener.modal["custom_id"], "components": filled}


def _filled(component: Json, answers: dict[str, Any]) -> Json:
    """Return a component of the modal with the person's input instead of its definition."""
    shape: Json = {"type": component["type"], "id": component.get("id", 0)}
    if "components" in component:
        return {**shape, "components": [_filled(one, answers) for one in component["components"]]}
    if "component" in component:
        return {**shape, "component": _filled(component["component"], answers)}
    if "custom_id" not in component:
        return shape
    custom_id = component["custom_id"]
    given = answers.get(custom_id, {})
    shape |= {"custom_id": custom_id} | {key: given[key] for key in ANSWER_KEYS if key in given}
    if component["type"] == TEXT_INPUT:
        text = shape.setdefault("value", "")
        is_required = component.get("required", True)
        least = (component.get("min_length") or int(is_required)) if text or is_required else 0
        check_text(text, custom_id, at_least=least, at_most=component.get("max_length") or MAX_INPUT_CHARS)
    elif component["type"] != TEXT_INPUT and component.get("required", True) and not given:
        raise InvalidBodyError(custom_id, "BASE_TYPE_REQUIRED")
    return shape
