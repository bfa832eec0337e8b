"""Discord's limits that only its documentation has: the published description is laxer there."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from contract.spec import Json, Problem

ACTION_ROW, BUTTON, STRING_SELECT, TEXT_INPUT, LABEL = 1, 2, 3, 4, 18
SELECTS = {3, 5, 6, 7, 8}
LINK, PREMIUM = 5, 6
CHAT_INPUT = 1
SUBCOMMAND, GROUP, STRING, INTEGER, NUMBER = 1, 2, 3, 4, 10
MESSAGE, UPDATE, CHOICES, MODAL = 4, 7, 8, 9
SUPPRESS_EMBEDS, EPHEMERAL, SILENT, V2 = 1 << 2, 1 << 6, 1 << 12, 1 << 15
MAX_CONTENT, MAX_EMBEDS_CHARS, MAX_ROWS, MAX_TOP_CHOICE = 2000, 6000, 5, 100
MAX_COMMAND_CHARS, MAX_COMMANDS = 8000, 100
NAME = re.compile(r"[-_'\w]{1,32}")


def broken_rules(
    method: str, route: str, body: Any, files: Mapping[str, str], *, path: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield which documented limits a request breaks that its schema does not know.

    Args:
        method: In capitals.
        route: The path with names in braces.
        body: The parsed JSON; None without one.
        files: The file names by the name of their multipart field.
        path: What stands in the path for the names.
    """
    if route.endswith("/reactions/{emoji_name}/@me") and method == "PUT":
        yield from _reaction(path["emoji_name"])
    if route.endswith("/callback") and isinstance(body, dict):
        yield from _callback(body, files)
    elif route.endswith("/commands") and method == "PUT" and isinstance(body, list):
        yield from _commands(body)
    elif route.endswith("/commands") and method == "POST" and isinstance(body, dict):
        yield from _command(body, "")
    elif _sends_message(method, route) and isinstance(body, dict):
        is_webhook = route.startswith("/webhooks/")
        yield from _message(body, "", files, is_new=method == "POST")
        yield from _flags(body, "", allowed=SUPPRESS_EMBEDS | SILENT | V2 | (EPHEMERAL if is_webhook else 0))


def _sends_message(method: str, route: str) -> bool:
    is_message = route.endswith(("/messages", "/messages/{message_id}", "/messages/@original"))
    return method in ("POST", "PATCH") and (is_message or route == "/webhooks/{webhook_id}/{webhook_token}")


def _reaction(emoji: str) -> Iterator[Problem]:
    emoji = unquote(emoji)
    if emoji.isascii() and not re.fullmatch(r"\w{2,32}:\d+", emoji):
        yield Problem("/emoji_name", "emoji", f"{emoji!r} is neither an emoji nor name:id")


def _callback(body: Json, files: Mapping[str, str]) -> Iterator[Problem]:
    kind, shape = body.get("type"), body.get("data") or {}
    if not isinstance(shape, dict):
        return
    if kind in (MESSAGE, UPDATE):
        yield from _message(shape, "/data", files, is_new=kind == MESSAGE)
        allowed = SUPPRESS_EMBEDS | SILENT | V2 | EPHEMERAL
        yield from _flags(shape, "/data", allowed=allowed)
    elif kind == MODAL:
        yield from _components(shape.get("components") or [], "/data/components", is_modal=True, is_v2=False)
        if len(shape.get("components") or []) > MAX_ROWS:
            yield Problem("/data/components", "count", f"a modal has at most {MAX_ROWS} components")
    elif kind == CHOICES:
        for at, choice in enumerate(shape.get("choices") or []):
            value = choice.get("value") if isinstance(choice, dict) else None
            if isinstance(value, str) and not 1 <= len(value) <= MAX_TOP_CHOICE:
                yield Problem(
                    f"/data/choices/{at}/value", "length", "a choice's value has 1 to 100 characters"
                )
            elif isinstance(value, int | float) and abs(value) > 1 << 53:
                yield Problem(f"/data/choices/{at}/value", "range", "numbers go up to 2**53")


def _flags(body: Json, where: str, *, allowed: int) -> Iterator[Problem]:
    flags = body.get("flags") or 0
    if isinstance(flags, int) and flags & ~allowed:
        yield Problem(f"{where}/flags", "flags", f"{flags & ~allowed:b} cannot be set here")


def _message(body: Json, where: str, files: Mapping[str, str], *, is_new: bool) -> Iterator[Problem]:
    content, embeds, components = (body.get(key) for key in ("content", "embeds", "components"))
    is_v2 = bool((body.get("flags") or 0) & V2)
    if isinstance(content, str) and len(content) > MAX_CONTENT:
        yield Problem(f"{where}/content", "length", f"{len(content)} characters, at most {MAX_CONTENT}")
    has_something = (content or "").strip() or embeds or components or files
    if is_new and not (has_something or body.get("sticker_ids") or body.get("poll")):
        yield Problem(where, "empty", "an empty message cannot be sent")
    if is_v2 and (content or embeds or body.get("poll")):
        yield Problem(where, "components-v2", "such a message has no content, embeds or poll")
    yield from _embeds(embeds or [], f"{where}/embeds")
    yield from _components(components or [], f"{where}/components", is_modal=False, is_v2=is_v2)
    yield from _attachments(body, where, files)
    yield from _mentions(body.get("allowed_mentions") or {}, f"{where}/allowed_mentions")


def _embeds(embeds: list[Json], where: str) -> Iterator[Problem]:
    total = 0
    for at, embed in enumerate(embeds):
        texts = [embed.get("title"), embed.get("description")]
        texts += [(embed.get(part) or {}).get(key) for part, key in (("footer", "text"), ("author", "name"))]
        for number, one in enumerate(embed.get("fields") or []):
            texts += [one.get("name"), one.get("value")]
            for key in ("name", "value"):
                if not (one.get(key) or "").strip():
                    yield Problem(
                        f"{where}/{at}/fields/{number}/{key}", "empty", "a field has name and value"
                    )
        size = sum(len(text.strip()) for text in texts if text)
        total += size
        if not size and not any(embed.get(part) for part in ("image", "thumbnail", "video", "url")):
            yield Problem(f"{where}/{at}", "empty", "an embed shows something")
    if total > MAX_EMBEDS_CHARS:
        yield Problem(where, "length", f"{total} characters in all embeds, at most {MAX_EMBEDS_CHARS}")


def _attachments(body: Json, where: str, files: Mapping[str, str]) -> Iterator[Problem]:
    listed = {str(one.get("id")) for one in body.get("attachments") or [] if isinstance(one, dict)}
    if not set(files) <= {f"files[{number}]" for number in range(10)}:
        yield Problem(where, "files", f"the fields of files are files[0] to files[9], not {sorted(files)}")
    if "attachments" in body and not {name.strip("files[]") for name in files} <= listed:
        yield Problem(f"{where}/attachments", "files", "a file is sent that the list leaves out")
    known = {*files.values(), *(one.get("filename") for one in body.get("attachments") or [])}
    for at, embed in enumerate(body.get("embeds") or []):
        for part in ("image", "thumbnail"):
            url = (embed.get(part) or {}).get("url") or ""
            if url.startswith("attachment://") and url.removeprefix("attachment://") not in known:
                yield Problem(f"{where}/embeds/{at}/{part}/url", "files", f"{url} is not sent along")


def _mentions(allowed: Json, where: str) -> Iterator[Problem]:
    for name in ("users", "roles"):
        if name in (allowed.get("parse") or []) and allowed.get(name):
            yield Problem(f"{where}/{name}", "exclusive", "parse and a list exclude each other")


def _components(components: list[Json], where: str, *, is_modal: bool, is_v2: bool) -> Iterator[Problem]:
    if not (is_v2 or is_modal):
        if len(components) > MAX_ROWS:
            yield Problem(where, "count", f"{len(components)} rows, at most {MAX_ROWS}")
        for at, one in enumerate(components):
            if one.get("type") != ACTION_ROW:
                yield Problem(f"{where}/{at}/type", "nesting", "without the flag only rows may be here")
    seen: set[str] = set()
    count = 0
    for path, one in _walk(components, where):
        count += 1
        custom_id = one.get("custom_id")
        if custom_id is not None and custom_id in seen:
            yield Problem(f"{path}/custom_id", "unique", f"{custom_id!r} is used twice")
        seen.add(custom_id or "")
        yield from _component(one, path, is_modal=is_modal, in_row=path.count("/components/") > 1)
    if count > 40:
        yield Problem(where, "count", f"{count} components, at most 40")


def _walk(components: list[Json], where: str) -> Iterator[tuple[str, Json]]:
    for at, one in enumerate(components):
        if isinstance(one, dict):
            yield f"{where}/{at}", one
            yield from _walk(one.get("components") or [], f"{where}/{at}/components")
            for key in ("accessory", "component"):
                if isinstance(one.get(key), dict):
                    yield f"{where}/{at}/{key}", one[key]


def _component(one: Json, where: str, *, is_modal: bool, in_row: bool) -> Iterator[Problem]:
    kind = one.get("type")
    if kind == ACTION_ROW:
        inside = [child.get("type") for child in one.get("components") or []]
        if len(inside) > 1 and set(inside) != {BUTTON}:
            yield Problem(f"{where}/components", "nesting", "a row holds buttons, or one menu or text input")
    elif kind == BUTTON:
        yield from _button(one, where)
    elif kind in SELECTS:
        yield from _select(one, where, is_modal=is_modal)
    elif kind == TEXT_INPUT:
        yield from _text_input(one, where, in_row=in_row)


def _button(one: Json, where: str) -> Iterator[Problem]:
    style = one.get("style")
    wanted = {LINK: "url", PREMIUM: "sku_id"}.get(style or 0, "custom_id")
    for key in ("url", "sku_id", "custom_id"):
        if (key == wanted) != bool(one.get(key)):
            yield Problem(f"{where}/{key}", "button", f"a button of style {style} has {wanted} alone")
    if style != PREMIUM and not (one.get("label") or one.get("emoji")):
        yield Problem(where, "button", "a button has a label or an emoji")


def _select(one: Json, where: str, *, is_modal: bool) -> Iterator[Problem]:
    least, most = one.get("min_values"), one.get("max_values")
    least, most = 1 if least is None else least, 1 if most is None else most
    # in messages discord-api-docs #7800 saw it refused, too
    if one.get("required", is_modal) and least == 0:
        yield Problem(f"{where}/required", "required-zero", "required and min_values 0 exclude each other")
    if least > most:
        yield Problem(f"{where}/min_values", "range", f"{least} is more than max_values {most}")
    if one.get("type") != STRING_SELECT:
        return
    options = one.get("options") or []
    if most > len(options):
        yield Problem(f"{where}/max_values", "range", f"{most} of {len(options)} options")
    if sum(bool(option.get("default")) for option in options) > most:
        yield Problem(f"{where}/options", "defaults", f"more than max_values {most} are chosen")
    values = [option.get("value") for option in options]
    if len(set(values)) < len(values):
        yield Problem(f"{where}/options", "unique", "a value is used twice")
    for at, option in enumerate(options):
        for key in ("label", "value"):
            if not (option.get(key) or "").strip():
                yield Problem(f"{where}/options/{at}/{key}", "empty", "an option has a label and a value")


def _text_input(one: Json, where: str, *, in_row: bool) -> Iterator[Problem]:
    if in_row and not (one.get("label") or "").strip():
        yield Problem(f"{where}/label", "empty", "a text input in a row has a label of its own")
    if not in_row and one.get("label"):
        yield Problem(f"{where}/label", "nesting", "the label is the Label component's")
    least, most = one.get("min_length") or 0, one.get("max_length") or 4000
    if least > most:
        yield Problem(f"{where}/min_length", "range", f"{least} is more than max_length {most}")
    if one.get("value") and not least <= len(one["value"]) <= most:
        yield Problem(f"{where}/value", "length", f"{len(one['value'])} characters, {least} to {most}")


def _commands(commands: list[Json]) -> Iterator[Problem]:
    kinds = [one.get("type") or CHAT_INPUT for one in commands]
    for kind, most in ((CHAT_INPUT, MAX_COMMANDS), (2, 15), (3, 15)):
        if kinds.count(kind) > most:
            yield Problem("", "count", f"{kinds.count(kind)} commands of type {kind}, at most {most}")
    names = [(one.get("name"), one.get("type") or CHAT_INPUT) for one in commands]
    if len(set(names)) < len(names):
        yield Problem("", "unique", "two commands share a name")
    for at, one in enumerate(commands):
        yield from _command(one, f"/{at}")


def _command(one: Json, where: str) -> Iterator[Problem]:
    if (one.get("type") or CHAT_INPUT) != CHAT_INPUT:
        for key in ("description", "options"):
            if one.get(key):
                yield Problem(f"{where}/{key}", "empty", "only slash commands have one")
        return
    yield from _slash_name(one, where)
    if not one.get("description"):
        yield Problem(f"{where}/description", "length", "a slash command has a description")
    size = _size(one)
    if size > MAX_COMMAND_CHARS:
        yield Problem(where, "length", f"{size} characters in all its texts, at most {MAX_COMMAND_CHARS}")
    yield from _options(one.get("options") or [], f"{where}/options", depth=0)


def _size(one: Json) -> int:
    """Count the texts of a command: names, descriptions and values, the longest of each's translations."""
    total = 0
    for key in ("name", "description"):
        texts = [one.get(key) or "", *(one.get(f"{key}_localizations") or {}).values()]
        total += max(map(len, texts))
    if isinstance(one.get("value"), str):
        total += len(one["value"])
    return total + sum(_size(part) for key in ("options", "choices") for part in one.get(key) or [])


def _slash_name(one: Json, where: str) -> Iterator[Problem]:
    names = {"name": one.get("name") or "", **(one.get("name_localizations") or {})}
    for key, name in names.items():
        place = key if key == "name" else f"name_localizations/{key}"
        if not NAME.fullmatch(name) or name != name.lower():
            yield Problem(f"{where}/{place}", "name", f"{name!r} is no name of lower-case letters")


def _options(options: list[Json], where: str, *, depth: int) -> Iterator[Problem]:
    names = [one.get("name") for one in options]
    if len(set(names)) < len(names):
        yield Problem(where, "unique", "two options share a name")
    needed = [bool(one.get("required")) for one in options]
    if needed != sorted(needed, reverse=True):
        yield Problem(where, "order", "required options come first")
    nested = [one.get("type") in (SUBCOMMAND, GROUP) for one in options]
    if any(nested) and not all(nested):
        yield Problem(where, "nesting", "subcommands and options exclude each other")
    for at, one in enumerate(options):
        yield from _option(one, f"{where}/{at}", depth=depth)


def _option(one: Json, where: str, *, depth: int) -> Iterator[Problem]:
    kind = one.get("type")
    yield from _slash_name(one, where)
    if kind in (SUBCOMMAND, GROUP):
        if depth > (0 if kind == GROUP else 1):
            yield Problem(where, "nesting", "a group holds subcommands, and those hold options")
        yield from _options(one.get("options") or [], f"{where}/options", depth=depth + 1)
        return
    if one.get("autocomplete") and (one.get("choices") or kind not in (STRING, INTEGER, NUMBER)):
        yield Problem(f"{where}/autocomplete", "exclusive", "autocomplete is for texts and numbers, alone")
    choices = one.get("choices") or []
    for key in ("name", "value"):
        values = [choice.get(key) for choice in choices]
        if len(set(values)) < len(values):
            yield Problem(f"{where}/choices", "unique", f"two choices share a {key}")
    for at, choice in enumerate(choices):
        if isinstance(choice.get("value"), str) and not 1 <= len(choice["value"]) <= MAX_TOP_CHOICE:
            yield Problem(f"{where}/choices/{at}/value", "length", "a value has 1 to 100 characters")
    for least, most in (("min_length", "max_length"), ("min_value", "max_value")):
        low, high = one.get(least), one.get(most)
        if low is not None and high is not None and low > high:
            yield Problem(f"{where}/{least}", "range", f"{low} is more than {most} {high}")
