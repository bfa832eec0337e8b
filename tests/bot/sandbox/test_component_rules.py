"""What Discord refuses in the components of messages and modals, and where it takes which component."""

from __future__ import annotations

import pytest

from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.interactions.components import check_components, check_modal

SNOWFLAKE = "100000000000000001"


def row(*components: dict) -> dict:
    return {"type": 1, "components": list(components)}


def button(**changes) -> dict:
    return {"type": 2, "style": 1, "label": "x", "custom_id": "b", **changes}


def link(**changes) -> dict:
    return {"type": 2, "style": 5, "label": "x", "url": "https://example.org", **changes}


def menu(count: int = 2, **changes) -> dict:
    choices = [{"label": str(at), "value": str(at)} for at in range(count)]
    return {"type": 3, "custom_id": "m", "options": choices, **changes}


def choice(**changes) -> dict:
    return menu(options=[{"label": "a", "value": "a", **changes}])


def text_input(**changes) -> dict:
    return {"type": 4, "custom_id": "t", "style": 1, "label": "x", **changes}


def label(component: dict, **changes) -> dict:
    return {"type": 18, "label": "x", "component": component, **changes}


def form(*components: dict, **changes) -> dict:
    return {"title": "x", "custom_id": "f", "components": list(components), **changes}


LABELLED = {"type": 4, "custom_id": "t", "style": 2}
TEXT = {"type": 10, "content": "x"}


@pytest.mark.parametrize(
    "component",
    [
        button(emoji={"id": None, "name": "👍🏽"}, label=None),
        link(),
        menu(min_values=0, max_values=2, required=False),
        menu(min_values=0),  # required only where it says so
        menu(min_values=1, required=True, disabled=True),
        {"type": 5, "custom_id": "m", "default_values": [{"id": SNOWFLAKE, "type": "user"}]},
        {"type": 8, "custom_id": "m", "channel_types": [0, 5]},
    ],
)
def test_a_component_that_fits_is_taken(component):
    check_components([row(component)], is_v2=False)


@pytest.mark.parametrize(
    "component",
    [
        {},
        {"type": 99, "custom_id": "x"},
        {"type": "2", "style": 1, "label": "x", "custom_id": "b"},
        {"type": True},
        text_input(),
        TEXT,
        row(button()),
        button(style=0),
        button(style=7),
        button(style=None),
        button(style="1"),
        button(label=None),
        button(label="x" * 81),
        button(label=1),
        button(custom_id=None),
        button(url="https://example.org"),
        button(disabled="no"),
        button(id=-1),
        button(id="x"),
        button(emoji={"name": "not an emoji"}),
        button(emoji={"name": "👍", "id": SNOWFLAKE}),
        button(emoji="👍"),
        link(custom_id="b"),
        link(url=None),
        link(url="example.org"),
        link(url="https://example.org/" + "x" * 512),
        button(style=6, custom_id=None, label=None),
        menu(min_values=0, required=True),
        menu(min_values=-1),
        menu(min_values=26),
        menu(min_values=2, max_values=1),
        menu(max_values=0),
        menu(max_values="1"),
        menu(placeholder="x" * 151),
        menu(placeholder=1),
        menu(disabled=1),
        menu(required="no"),
        menu(options=None),
        choice(label="x" * 101),
        choice(label=""),
        choice(value="x" * 101),
        choice(value=1),
        choice(description="x" * 101),
        choice(default="yes"),
        choice(emoji={"name": "x"}),
        menu(options=[{"label": str(at), "value": str(at), "default": True} for at in range(2)]),
        {"type": 5, "custom_id": "m", "default_values": [{"id": SNOWFLAKE, "type": "role"}]},
        {"type": 5, "custom_id": "m", "default_values": [{"id": "x", "type": "user"}]},
        {"type": 6, "custom_id": "m", "min_values": 0, "required": True},
        {"type": 8, "custom_id": "m", "channel_types": [99]},
    ],
)
def test_a_component_of_a_message_that_does_not_fit_is_refused(component):
    with pytest.raises(InvalidBodyError):
        check_components([row(component)], is_v2=False)


def test_the_refusal_of_a_required_menu_without_a_choice_is_named_as_on_discord():
    with pytest.raises(InvalidBodyError) as refused:
        check_components([row(menu(min_values=0, required=True))], is_v2=False)
    assert refused.value.field_code == "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES"
    assert refused.value.path == "components.0.components.0.min_values"


@pytest.mark.parametrize(
    "components",
    [
        [row(button(), menu())],
        [row(button(), button())],
        [row(button(id=7), link(id=7))],
        [TEXT],
        [{"type": 17, "components": [TEXT]}],
    ],
)
def test_components_that_do_not_go_together_are_refused(components):
    with pytest.raises(InvalidBodyError):
        check_components(components, is_v2=False)


def test_a_layout_that_fits_is_taken():
    media = {"url": "https://example.org/x.png"}
    section = {"type": 9, "components": [TEXT], "accessory": {"type": 11, "media": media}}
    gallery = {"type": 12, "items": [{"media": media, "description": "x", "spoiler": False}]}
    file = {"type": 13, "file": {"url": "attachment://x.txt"}}
    separator = {"type": 14, "divider": True, "spacing": 2}
    container = {
        "type": 17,
        "accent_color": 5,
        "components": [section, gallery, file, separator, row(menu())],
    }
    check_components([container, row(button())], is_v2=True)


@pytest.mark.parametrize(
    "component",
    [
        button(),
        {"type": 9, "components": [TEXT]},
        {"type": 9, "components": [TEXT] * 4, "accessory": link()},
        {"type": 9, "components": [row(button())], "accessory": link()},
        {"type": 9, "components": [TEXT], "accessory": TEXT},
        {"type": 10, "content": ""},
        {"type": 10, "content": "x" * 4001},
        {"type": 12, "items": []},
        {"type": 12, "items": [{"media": {"url": "x"}}]},
        {"type": 13, "file": {"url": "https://example.org/x.txt"}},
        {"type": 14, "spacing": 3},
        {"type": 17, "components": []},
        {"type": 17, "components": [{"type": 17, "components": [TEXT]}]},
        {"type": 17, "components": [TEXT], "accent_color": 0x1000000},
        {"type": 17, "components": [TEXT], "spoiler": "yes"},
        label(LABELLED),
    ],
)
def test_a_component_of_a_layout_that_does_not_fit_is_refused(component):
    with pytest.raises(InvalidBodyError):
        check_components([component], is_v2=True)


def test_too_many_components_of_a_layout_are_refused():
    with pytest.raises(InvalidBodyError):
        check_components([{"type": 17, "components": [TEXT] * 20}] * 2, is_v2=True)


@pytest.mark.parametrize(
    "shown",
    [
        form(row(text_input(value="ab", placeholder="x" * 100, min_length=0, max_length=4000))),
        form(label(LABELLED, description="x" * 100), TEXT),
        form(label(menu(min_values=0, required=False, disabled=False))),
        form(label({"type": 19, "custom_id": "u", "min_values": 1, "max_values": 10})),
        form(label({"type": 21, "custom_id": "r", "options": menu()["options"]})),
        form(label({"type": 22, "custom_id": "c", "options": menu()["options"], "min_values": 2})),
        form(label({"type": 23, "custom_id": "k", "default": True})),
    ],
)
def test_a_modal_that_fits_is_taken(shown):
    check_modal(shown)


@pytest.mark.parametrize(
    "shown",
    [
        form(row(text_input()), title=None),
        form(row(text_input()), title="x" * 46),
        form(row(text_input()), title=1),
        form(row(text_input()), custom_id="x" * 101),
        form(),
        form(*[label({**LABELLED, "custom_id": str(at)}) for at in range(6)]),
        form(row(button())),
        form(row(menu())),
        form(text_input()),
        form(menu()),
        form(row(text_input(), text_input(custom_id="u"))),
        form(row(text_input()), row(text_input())),
        form(row(text_input(label=None))),
        form(row(text_input(label="x" * 46))),
        form(row(text_input(style=3))),
        form(row(text_input(style=None))),
        form(row(text_input(placeholder="x" * 101))),
        form(row(text_input(value="x" * 4001))),
        form(row(text_input(value="xxx", max_length=2))),
        form(row(text_input(value=1))),
        form(row(text_input(min_length=-1))),
        form(row(text_input(min_length=4001))),
        form(row(text_input(max_length=0))),
        form(row(text_input(max_length=4001))),
        form(row(text_input(min_length=5, max_length=4))),
        form(row(text_input(required="yes"))),
        form(row(text_input(custom_id=""))),
        form(label(LABELLED, label="x" * 46)),
        form(label(LABELLED, label=None)),
        form(label(LABELLED, description="x" * 101)),
        form(label(button())),
        form(label(TEXT)),
        form(label(None)),
        form(label(menu(min_values=0))),
        form(label(menu(min_values=0, required=True))),
        form(label(menu(disabled=True))),
        form(label({"type": 21, "custom_id": "r", "options": menu(1)["options"]})),
        form(label({"type": 22, "custom_id": "c", "options": menu(11)["options"]})),
        form(label({"type": 22, "custom_id": "c", "options": menu()["options"], "min_values": 0})),
        form(label({"type": 19, "custom_id": "u", "max_values": 11})),
        form(label({"type": 23, "custom_id": "k", "default": "yes"})),
        form({"type": 10, "content": ""}),
        form({"type": 99}),
    ],
)
def test_a_modal_that_does_not_fit_is_refused(shown):
    with pytest.raises(InvalidBodyError):
        check_modal(shown)
