"""The objects inside gateway events: the description has no events, but their messages, channels, members."""

from collections.abc import Iterator
from typing import Any

from contract.spec import Json, Problem, Spec

# beside the object that an event is about
BESIDE = {
    "MESSAGE_CREATE": {"guild_id", "member", "channel_type"},
    "MESSAGE_UPDATE": {"guild_id", "member", "channel_type"},
    "THREAD_CREATE": {"newly_created"},
    "GUILD_MEMBER_ADD": {"guild_id"},
    "GUILD_ROLE_CREATE": {"guild_id"},
}
WHOLE = {
    "MESSAGE_CREATE": "MessageResponse",
    "MESSAGE_UPDATE": "MessageResponse",
    "THREAD_CREATE": "ThreadResponse",
    "THREAD_UPDATE": "ThreadResponse",
    "GUILD_MEMBER_ADD": "GuildMemberResponse",
}
CHANNEL_SCHEMAS = {0: "Guild", 1: "Private", 2: "Guild", 4: "Guild", 5: "Guild", 13: "Guild", 15: "Guild"}
NEEDED = {  # by the documentation's tables: fields without a question mark
    "MESSAGE_REACTION_ADD": {"user_id", "channel_id", "message_id", "emoji", "burst", "type"},
    "MESSAGE_REACTION_REMOVE": {"user_id", "channel_id", "message_id", "emoji", "burst", "type"},
    "MESSAGE_REACTION_REMOVE_ALL": {"channel_id", "message_id"},
    "MESSAGE_REACTION_REMOVE_EMOJI": {"channel_id", "message_id", "emoji"},
    "MESSAGE_DELETE": {"id", "channel_id"},
    "MESSAGE_DELETE_BULK": {"ids", "channel_id"},
    "TYPING_START": {"channel_id", "user_id", "timestamp"},
    "INTERACTION_CREATE": {
        "id",
        "application_id",
        "type",
        "token",
        "version",
        "app_permissions",
        "entitlements",
        "authorizing_integration_owners",
        "attachment_size_limit",
        "channel",
        "channel_id",
    },
}


def event_problems(spec: Spec, name: str, body: Json) -> Iterator[Problem]:
    """Yield what of an event's objects does not fit."""
    for missing in sorted(NEEDED.get(name, set()) - body.keys()):
        yield Problem("", "required", f"{missing!r} is a required property")
    for where, schema, value in _objects(name, body):
        for one in spec.problems(value, spec.component(schema)):
            yield Problem(where + one.where, one.rule, one.text)


def _objects(name: str, body: Json) -> Iterator[tuple[str, str, Any]]:
    """Yield the objects of an event: where, the schema's name, the value."""
    if name in WHOLE:
        own = {key: one for key, one in body.items() if key not in BESIDE.get(name, ())}
        yield "", WHOLE[name], own
    if name.startswith("CHANNEL_") and body.get("type") in CHANNEL_SCHEMAS:
        yield "", f"{CHANNEL_SCHEMAS[body['type']]}ChannelResponse", body
    if isinstance(body.get("user"), dict) and name == "INTERACTION_CREATE":
        yield "/user", "UserResponse", body["user"]
    if isinstance(body.get("member"), dict) and not name.startswith("THREAD_"):
        yield "/member", "GuildMemberResponse", _whole_member(body["member"])
    if name == "INTERACTION_CREATE":
        if "message" in body:
            yield "/message", "MessageResponse", body["message"]
        resolved = body.get("data", {}).get("resolved", {})
        for key, user in resolved.get("users", {}).items():
            yield f"/data/resolved/users/{key}", "UserResponse", user
        for key, message in resolved.get("messages", {}).items():
            yield f"/data/resolved/messages/{key}", "MessageResponse", message
    if name == "GUILD_CREATE":
        for at, one in enumerate(body.get("members", ())):
            yield f"/members/{at}", "GuildMemberResponse", one
        for at, one in enumerate(body.get("roles", ())):
            yield f"/roles/{at}", "GuildRoleResponse", one
        for at, one in enumerate(body.get("threads", ())):
            yield f"/threads/{at}", "ThreadResponse", one
        for at, one in enumerate(body.get("channels", ())):
            if one.get("type") in CHANNEL_SCHEMAS:
                yield f"/channels/{at}", "GuildChannelResponse", {"guild_id": body["id"], **one}


def _whole_member(member: Json) -> Json:
    """Return a member with a user, whom events carry elsewhere, and without what only interactions have."""
    user = {
        "id": "1",
        "username": "someone",
        "avatar": None,
        "discriminator": "0",
        "public_flags": 0,
        "flags": 0,
        "global_name": None,
        "primary_guild": None,
    }
    return {"user": user, **{key: one for key, one in member.items() if key != "permissions"}}
