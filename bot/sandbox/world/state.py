"""The sandbox's data, held in memory.

The values are frozen and replaced when they change; only :class:`World` itself is mutable.
The functions that change it return the events to send.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Self

from bot.sandbox.errors import ApiError, Refusal

Json = dict[str, Any]
BOT_SCHEME = "Bot "
MAX_MESSAGES = 5000  # per channel, so that a soak test of days does not fill the memory
DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
SEQUENCE_BITS = 22  # of an id; the upper 42 bits are milliseconds since Discord's epoch


class ChannelKind(IntEnum):
    """The channel types that the sandbox implements, with Discord's numbers."""

    TEXT = 0
    DIRECT = 1
    VOICE = 2
    CATEGORY = 4
    ANNOUNCEMENT = 5
    ANNOUNCEMENT_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15
    MEDIA = 16


THREADS = frozenset({ChannelKind.ANNOUNCEMENT_THREAD, ChannelKind.PUBLIC_THREAD, ChannelKind.PRIVATE_THREAD})
WITH_VOICE = frozenset({ChannelKind.VOICE, ChannelKind.STAGE})
WITH_POSTS = frozenset({ChannelKind.FORUM, ChannelKind.MEDIA})
WITHOUT_MESSAGES = frozenset({ChannelKind.CATEGORY, *WITH_POSTS})


class MessageFlag(IntEnum):
    """The message flags that the sandbox implements, with Discord's numbers."""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    COMPONENTS_V2 = 1 << 15


@dataclass(frozen=True, slots=True)
class User:
    """An account: a person, a bot or a webhook."""

    id: int
    name: str
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a guild; the one with the guild's id is @everyone."""

    id: int
    guild_id: int
    name: str
    permissions: int
    position: int
    is_managed: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a guild."""

    user_id: int
    guild_id: int
    role_ids: tuple[int, ...]
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Overwrite:
    """What a channel allows or denies one role or one member."""

    target_id: int
    is_member: bool
    allow: int
    deny: int


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of a guild, a thread or a direct-message channel; `guild_id` is None for the latter.

    The last three fields are those of threads. `member_ids` are the people who have joined the thread; only
    they, and those who manage threads, see a private one.
    """

    id: int
    kind: ChannelKind
    name: str
    guild_id: int | None
    position: int = 0
    recipient_ids: tuple[int, ...] = ()
    overwrites: tuple[Overwrite, ...] = ()
    parent_id: int | None = None
    owner_id: int | None = None
    member_ids: tuple[int, ...] = ()
    is_archived: bool = False
    is_locked: bool = False

    @property
    def is_thread(self) -> bool:
        """Whether it hangs below another channel, whose overwrites it shares."""
        return self.kind in THREADS


@dataclass(frozen=True, slots=True)
class Guild:
    """A guild; its roles, members and channels are in the world's tables."""

    id: int
    name: str
    owner_id: int


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message; `width` and `height` in pixels when it is an image that could be measured."""

    id: int
    channel_id: int
    filename: str
    content_type: str
    content: bytes
    description: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """One emoji under a message; `given` are (user id, whether it is a super reaction), in order."""

    emoji: str
    given: tuple[tuple[int, bool], ...] = ()

    def giver_ids(self, *, is_super: bool = False) -> list[int]:
        """Return the users who gave it as a normal or as a super reaction."""
        return [user_id for user_id, as_super in self.given if as_super == is_super]


@dataclass(frozen=True, slots=True)
class Message:
    """A message; `ephemeral_for` is the only person who sees it, or None when the channel does."""

    id: int
    channel_id: int
    author: User
    content: str
    edited_at: datetime | None = None
    kind: int = 0
    flags: int = 0
    embeds: tuple[Json, ...] = ()
    components: tuple[Json, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    mention_ids: tuple[int, ...] = ()
    mentions_everyone: bool = False
    reference: Json | None = None
    nonce: str | int | None = None
    is_tts: bool = False
    webhook_id: int | None = None
    interaction: Json | None = None
    ephemeral_for: int | None = None

    @property
    def created_at(self) -> datetime:
        """When it was posted."""
        return made_at(self.id)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook of a channel; its token is enough to post through it."""

    id: int
    channel_id: int
    name: str
    token: str


@dataclass(frozen=True, slots=True)
class Interaction:
    """A command, click, choice or form that a person sent to the bot, and how far the bot's answer is.

    `source_id` is the message that was clicked, `reply_id` the message that ``@original`` means, `modal` the
    form that the bot answered with, `focused_kind` the type of the option that is being completed.
    """

    id: int
    token: str
    kind: int
    person_id: int
    channel_id: int
    opened_at: datetime
    metadata: Json
    nonce: str | None = None
    source_id: int | None = None
    is_answered: bool = False
    reply_id: int | None = None
    modal: Json | None = None
    focused_kind: int | None = None


@dataclass(slots=True)
class World:
    """Everything that exists, by id. `messages` holds at most 5000 messages per channel, oldest first."""

    now: Callable[[], datetime]
    bot_user_id: int
    bot_token: str = field(repr=False)
    owner_id: int
    url: str = ""
    users: dict[int, User] = field(default_factory=dict)
    guilds: dict[int, Guild] = field(default_factory=dict)
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[tuple[int, int], Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    messages: dict[int, dict[int, Message]] = field(default_factory=dict)
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    commands: dict[tuple[int | None, str, int], Json] = field(default_factory=dict)
    interactions: dict[int, Interaction] = field(default_factory=dict)
    online_ids: set[int] = field(default_factory=set)
    last_id: int = 0

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway."""
        return f"{self.url.replace('http', 'ws', 1)}/gateway"

    def new_id(self) -> int:
        """Return an id larger than all earlier ones, even when the clock stands still or jumps back."""
        wanted = ((self.now() - DISCORD_EPOCH) // timedelta(milliseconds=1)) << SEQUENCE_BITS
        self.last_id = max(wanted, self.last_id + 1)
        return self.last_id

    def age_of(self, snowflake: int) -> timedelta:
        """Return how long ago an id was generated."""
        return self.now() - made_at(snowflake)

    def user_id_by_token(self, token: str) -> int | None:
        """Return the user id for a bare token, as in IDENTIFY, or None; a person's token is their name."""
        given = token.encode(errors="replace")
        if hmac.compare_digest(given, self.bot_token.encode()):
            return self.bot_user_id
        people = (one for one in self.users.values() if not one.is_bot)
        return next((one.id for one in people if hmac.compare_digest(given, one.name.encode())), None)

    def user_id_by_header(self, headers: Mapping[str, str]) -> int | None:
        """Return the user id for an ``Authorization`` header: ``Bot <token>`` or a person's bare name."""
        header = headers.get("Authorization", "")
        user_id = self.user_id_by_token(header.removeprefix(BOT_SCHEME))
        return user_id if (user_id == self.bot_user_id) == header.startswith(BOT_SCHEME) else None

    def find_channel(self, channel_id: int) -> Channel:
        """Return the channel, or refuse with 10003."""
        if channel_id not in self.channels:
            raise ApiError(Refusal.UNKNOWN_CHANNEL)
        return self.channels[channel_id]

    def find_message(self, channel_id: int, message_id: int) -> Message:
        """Return the message, or refuse with 10008."""
        message = self.history(channel_id).get(message_id)
        if message is None:
            raise ApiError(Refusal.UNKNOWN_MESSAGE)
        return message

    def history(self, channel_id: int) -> dict[int, Message]:
        """Return the messages of a channel by id, oldest first."""
        return self.messages.get(channel_id, {})

    def store(self, message: Message) -> None:
        """Add or replace a message; delete the channel's oldest one when there are too many."""
        history = self.messages.setdefault(message.channel_id, {})
        history[message.id] = message
        if len(history) > MAX_MESSAGES:
            del history[next(iter(history))]

    def roles_of(self, guild_id: int) -> list[Role]:
        """Return the guild's roles, lowest first."""
        roles = (one for one in self.roles.values() if one.guild_id == guild_id)
        return sorted(roles, key=lambda role: role.position)

    def members_of(self, guild_id: int) -> list[Member]:
        """Return the guild's members in order of their ids."""
        return [self.members[key] for key in sorted(one for one in self.members if one[0] == guild_id)]

    def member_in(self, channel: Channel, user_id: int) -> Member | None:
        """Return a user's membership of a channel's guild; None for others and in direct messages."""
        return self.members.get((channel.guild_id or 0, user_id))

    def guilds_of(self, user_id: int) -> list[Guild]:
        """Return the guilds of which a user is a member."""
        return [one for one in self.guilds.values() if (one.id, user_id) in self.members]

    def channels_of(self, guild_id: int) -> list[Channel]:
        """Return the guild's channels, threads included."""
        return [one for one in self.channels.values() if one.guild_id == guild_id]

    def direct_channels_of(self, user_id: int) -> list[Channel]:
        """Return a user's direct-message channels."""
        return [one for one in self.channels.values() if user_id in one.recipient_ids]


def made_at(snowflake: int) -> datetime:
    """Return the aware UTC time (to the millisecond) that an id carries."""
    return DISCORD_EPOCH + timedelta(milliseconds=snowflake >> SEQUENCE_BITS)


@dataclass(frozen=True, slots=True)
class Event:
    """A gateway event and its audience."""

    name: str
    data: Json
    audience: frozenset[int]

    @classmethod
    def for_each(cls, name: str, user_ids: Iterable[int], body: Callable[[int], Json]) -> list[Self]:
        """Return one event per user, in order of their ids; `body` returns what a user sees."""
        return [cls(name, body(one), frozenset({one})) for one in sorted(user_ids)]
