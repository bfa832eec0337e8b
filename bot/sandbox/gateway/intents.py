"""Gateway intents: which events a bot receives, and whether it gets message content."""

from enum import IntFlag

from bot.sandbox.world.state import Json


class Intent(IntFlag):
    """The intents that the sandbox implements, with Discord's numbers."""

    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_REACTIONS = 1 << 10
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    DIRECT_MESSAGE_REACTIONS = 1 << 13
    DIRECT_MESSAGE_TYPING = 1 << 14
    MESSAGE_CONTENT = 1 << 15


# event name prefix → (intent in a guild, intent in direct messages); the first prefix that fits counts
NEEDED = (
    ("MESSAGE_REACTION_", Intent.GUILD_MESSAGE_REACTIONS, Intent.DIRECT_MESSAGE_REACTIONS),
    ("MESSAGE_", Intent.GUILD_MESSAGES, Intent.DIRECT_MESSAGES),
    ("TYPING_", Intent.GUILD_MESSAGE_TYPING, Intent.DIRECT_MESSAGE_TYPING),
    ("GUILD_MEMBER_", Intent.GUILD_MEMBERS, Intent.GUILD_MEMBERS),
    ("PRESENCE_", Intent.GUILD_PRESENCES, Intent.GUILD_PRESENCES),
    ("GUILD_", Intent.GUILDS, Intent.GUILDS),
    ("CHANNEL_", Intent.GUILDS, Intent.GUILDS),
    ("THREAD_", Intent.GUILDS, Intent.GUILDS),
)


def receives(event: str, shape: Json, intents: int) -> bool:
    """Return whether an event reaches a session with these intents; events without an intent always do."""
    for prefix, in_guild, in_direct in NEEDED:
        if event.startswith(prefix):
            return bool(
                intents & (in_guild if "guild_id" in shape or event.startswith("GUILD_") else in_direct)
            )
    return True


def without_content(message: Json, viewer_id: int) -> Json:
    """Return a message as a bot without the content intent receives it.

    Its own messages, messages that mention it and direct messages keep their content.
    """
    is_own = message.get("author", {}).get("id") == str(viewer_id)
    is_mentioned = any(one["id"] == str(viewer_id) for one in message.get("mentions", ()))
    if is_own or is_mentioned or "guild_id" not in message:
        return message
    return {**message, "content": "", "embeds": [], "components": [], "attachments": []}
