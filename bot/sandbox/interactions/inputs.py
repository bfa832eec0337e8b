"""Menus, and the inputs of modals: text, files, radio buttons, checkboxes."""

from collections.abc import Callable
from functools import partial

from bot.sandbox import fields
from bot.sandbox.errors import InvalidBodyError
from bot.sandbox.world.state import Json

STRING_SELECT, TEXT_INPUT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = range(3, 9)
SELECTS = (STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)
FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 19, 21, 22, 23
CHANNEL_TYPES = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16)
MAX_MENU_CHOICES = 25
MAX_BOXES = 10
MAX_INPUT_CHARS = 4000
DEFAULTS_OF = {
    USER_SELECT: ("user",),
    ROLE_SELECT: ("role",),
    MENTIONABLE_SELECT: ("user", "role"),
    CHANNEL_SELECT: ("channel",),
}

component_id = fields.whole(0, (1 << 31) - 1)
channel_types = fields.list_of(fields.one_of(*CHANNEL_TYPES), at_most=len(CHANNEL_TYPES), is_set=True)


def with_children(component: Json, change: Callable[[Json], Json]) -> Json:
    """Return a component with each component that it holds changed."""
    changed = dict(component)
    if "components" in component:
        changed["components"] = [change(one) for one in component["components"]]
    for key in ("accessory", "component"):
        if key in component:
            changed[key] = change(component[key])
    return changed


def _check_symbol(emoji: Json, path: str) -> None:
    if emoji.get("id") is not None or not fields.is_emoji(emoji["name"]):
        raise InvalidBodyError(f"{path}.name", "COMPONENT_INVALID_EMOJI")


partial_emoji = fields.all_of(
    fields.json_object(
        name=fields.Needed(fields.nonempty(32)), id=fields.check_int, animated=fields.check_bool
    ),
    _check_symbol,
)
_choice = fields.json_object(
    label=fields.Needed(fields.nonempty(100)),
    value=fields.Needed(fields.nonempty(100)),
    description=fields.text(100),
    default=fields.check_bool,
    emoji=partial_emoji,
)


def _choices(at_least: int, at_most: int) -> fields.Check:
    """Return a check for the choices of a menu or group; their values must differ."""
    return fields.all_of(fields.list_of(_choice, at_least=at_least, at_most=at_most), _check_values_differ)


def _check_values_differ(choices: list[Json], path: str) -> None:
    if len({one["value"] for one in choices}) < len(choices):
        raise InvalidBodyError(path, "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED")


def _check_counts(
    one: Json, path: str, *, most_choices: int, required_by_default: bool, usual_most: int = 1
) -> None:
    """Refuse counts that contradict each other, the number of choices, or the defaults."""
    least, most, is_required = one.get("min_values"), one.get("max_values"), one.get("required")
    if least == 0 and (required_by_default if is_required is None else is_required):
        raise InvalidBodyError(f"{path}.min_values", "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES")
    available = len(one.get("options") or ()) or most_choices
    most = min(usual_most, available) if most is None else most
    if (1 if least is None else least) > most:
        raise InvalidBodyError(f"{path}.min_values", "NUMBER_TYPE_RANGE", "Must be at most max_values.")
    if most > available:
        raise InvalidBodyError(f"{path}.max_values", "NUMBER_TYPE_RANGE", f"Must be at most {available}.")
    chosen = [choice for choice in one.get("options") or () if choice.get("default")]
    if len(chosen or one.get("default_values") or ()) > most:
        place = "options" if chosen else "default_values"
        raise InvalidBodyError(f"{path}.{place}", "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES")


def _check_not_disabled(menu: Json, path: str) -> None:
    if menu.get("disabled"):
        raise InvalidBodyError(f"{path}.disabled", "COMPONENT_DISABLED_IN_MODAL")


def select(kind: int, *, in_modal: bool) -> fields.Check:
    """Return a check for a menu; in a modal it is required by default."""
    own: dict[str, fields.Check | fields.Needed] = {}
    if kind == STRING_SELECT:
        own["options"] = fields.Needed(_choices(1, MAX_MENU_CHOICES))
    else:
        default = fields.json_object(
            id=fields.Needed(fields.check_int), type=fields.Needed(fields.word_of(*DEFAULTS_OF[kind]))
        )
        own["default_values"] = fields.list_of(default, at_most=MAX_MENU_CHOICES)
    if kind == CHANNEL_SELECT:
        own["channel_types"] = channel_types
    of_any_kind = fields.json_object(
        custom_id=fields.Needed(fields.nonempty(100)),
        id=component_id,
        placeholder=fields.text(150),
        min_values=fields.whole(0, MAX_MENU_CHOICES),
        max_values=fields.whole(1, MAX_MENU_CHOICES),
        disabled=fields.check_bool,
        required=fields.check_bool,
    )
    counts = partial(_check_counts, most_choices=MAX_MENU_CHOICES, required_by_default=in_modal)
    return fields.all_of(
        of_any_kind, fields.json_object(**own), counts, *([_check_not_disabled] if in_modal else [])
    )


def _check_lengths(one: Json, path: str) -> None:
    least, most = one.get("min_length") or 0, one.get("max_length") or MAX_INPUT_CHARS
    if least > most:
        raise InvalidBodyError(f"{path}.min_length", "NUMBER_TYPE_RANGE", "Must be at most max_length.")
    fields.check_text(one.get("value") or "", f"{path}.value", at_most=most)


def text_input(*, is_labelled: bool) -> fields.Check:
    """Return a check for a text input; outside a label component it needs its own label."""
    label = fields.nonempty(45)
    of_any_place = fields.json_object(
        custom_id=fields.Needed(fields.nonempty(100)),
        style=fields.Needed(fields.one_of(1, 2)),
        label=label if is_labelled else fields.Needed(label),
        id=component_id,
        value=fields.text(MAX_INPUT_CHARS),
        placeholder=fields.text(100),
        required=fields.check_bool,
        min_length=fields.whole(0, MAX_INPUT_CHARS),
        max_length=fields.whole(1, MAX_INPUT_CHARS),
    )
    return fields.all_of(of_any_place, _check_lengths)


def _group(at_most: int, *, usual_most: int, **own: fields.Check | fields.Needed) -> fields.Check:
    """Return a check for radio buttons, checkboxes or an upload of several files."""
    of_any_kind = fields.json_object(
        custom_id=fields.Needed(fields.nonempty(100)),
        id=component_id,
        required=fields.check_bool,
        min_values=fields.whole(0, at_most),
        max_values=fields.whole(1, at_most),
        **own,
    )
    counts = partial(_check_counts, most_choices=MAX_BOXES, required_by_default=True, usual_most=usual_most)
    return fields.all_of(of_any_kind, counts)


IN_LABEL: dict[int, fields.Check] = {
    TEXT_INPUT: text_input(is_labelled=True),
    **{kind: select(kind, in_modal=True) for kind in SELECTS},
    FILE_UPLOAD: _group(MAX_BOXES, usual_most=1),
    RADIO_GROUP: _group(1, usual_most=1, options=fields.Needed(_choices(2, MAX_BOXES))),
    CHECKBOX_GROUP: _group(MAX_BOXES, usual_most=MAX_BOXES, options=fields.Needed(_choices(1, MAX_BOXES))),
    CHECKBOX: fields.json_object(
        custom_id=fields.Needed(fields.nonempty(100)), id=component_id, default=fields.check_bool
    ),
}
