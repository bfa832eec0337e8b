"""The bot's permissions in a channel, and what Discord's rejections say about them."""

from collections.abc import Sequence

import discord

from bot.texts import named

# Of https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
MISSING_PERMISSIONS = 50013
INVALID_BODY = 50035
NO_HISTORY_TO_REPLY_TO = 160002
# Unknown or unsuitable channel, archived or locked thread, AutoMod.
REFUSED = (10003, 50008, 50024, 50083, 160005, 200000)


def needed_to_write(channel: object) -> tuple[str, ...]:
    """Return the permissions needed to send plain text; a voice channel also needs Connect."""
    if isinstance(channel, discord.Thread):
        return "view_channel", "send_messages_in_threads"
    if isinstance(channel, discord.VoiceChannel | discord.StageChannel):
        return "view_channel", "connect", "send_messages"
    return "view_channel", "send_messages"


def kind_without_messages(channel: object) -> str | None:
    """Return the kind of a channel that takes no messages; None for one that does."""
    if isinstance(channel, discord.ForumChannel):
        return "media channel" if channel.is_media() else "forum"
    return "category" if isinstance(channel, discord.CategoryChannel) else None


def known_permissions(channel: object, me: object) -> discord.Permissions | None:
    """Return the bot's permissions in a server's channel; None if discord.py does not know them."""
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return None  # for a partial channel, discord.py reports no permission
    if not isinstance(me, discord.Member):
        return None
    try:
        allowed = channel.permissions_for(me)
    except discord.ClientException:  # a thread whose parent is not cached
        return None
    is_of_threads = isinstance(channel, discord.Thread | discord.ForumChannel)
    if is_of_threads and allowed.send_messages_in_threads and not allowed.send_messages:
        # discord.py denies embeds and files without Send Messages, which threads do not require.
        allowed.update(embed_links=True, attach_files=True)
    return allowed


def missing(allowed: discord.Permissions, wanted: Sequence[str]) -> list[str]:
    """Return the missing ones of the wanted permissions, named as in Discord's settings."""
    return [permission_name(one) for one in wanted if not getattr(allowed, one)]


def can_react(allowed: discord.Permissions) -> bool:
    """Whether the permissions allow adding a reaction to one's own message."""
    return allowed.view_channel and allowed.read_message_history and allowed.add_reactions


def permission_name(permission: str) -> str:
    """Return a permission's name as Discord's settings show it."""
    return named("errors.permissions", permission.replace("_", " ").title())


def refuses_reference(error: discord.HTTPException) -> bool:
    """Whether Discord would accept the message without its reference."""
    if error.code == NO_HISTORY_TO_REPLY_TO:
        return True
    return error.code == INVALID_BODY and "message_reference" in error.text  # such as a system message


def is_refusal(error: BaseException) -> bool:
    """Whether Discord would reject any message there."""
    if isinstance(error, discord.Forbidden):
        return True
    return isinstance(error, discord.HTTPException) and error.code in REFUSED


def can_see(interaction: discord.Interaction) -> bool:
    """Whether the bot sees the channel; slash commands also work in channels that it does not."""
    return interaction.guild_id is None or interaction.app_permissions.view_channel
