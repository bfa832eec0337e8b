"""The initial world: one guild with its channels, roles and people, under fixed ids."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from bot.sandbox.errors import NameTakenError
from bot.sandbox.world.permissions import ADMIN, EVERYONE, Permission
from bot.sandbox.world.state import Channel, ChannelKind, Guild, Member, Overwrite, Role, User, World

GUILD_ID = 1100000000000000001
SUPPORT_CHANNEL_ID = 1100000000000000101
REPORTS_CHANNEL_ID = 1100000000000000102
ADMIN_ROLE_ID = 1100000000000000201
BOT_ROLE_ID = 1100000000000000202
BOT_USER_ID = 1100000000000000301  # also the application's id, as Discord does for new bots
OWNER_ID = 1100000000000000401
PEOPLE_IDS = {"ada": 1100000000000000501, "ben": 1100000000000000502, "cleo": 1100000000000000503}
FOUNDED_AT = datetime(2024, 1, 1, tzinfo=UTC)


def seed_world(now: Callable[[], datetime], bot_token: str) -> World:
    """Return the world with the guild "Sportswear team": ada is admin by role, ben and cleo are members."""
    world = World(now, BOT_USER_ID, bot_token, OWNER_ID)
    world.users[BOT_USER_ID] = User(BOT_USER_ID, "fillbot", is_bot=True)
    world.users[OWNER_ID] = User(OWNER_ID, "owner")
    for name, user_id in PEOPLE_IDS.items():
        world.users[user_id] = User(user_id, name)
    create_guild(world, GUILD_ID, name="Sportswear team", owner_id=OWNER_ID)
    for position, (channel_id, name) in enumerate(
        ((SUPPORT_CHANNEL_ID, "support"), (REPORTS_CHANNEL_ID, "reports"))
    ):
        world.channels[channel_id] = Channel(channel_id, ChannelKind.TEXT, name, GUILD_ID, position=position)
    world.roles[ADMIN_ROLE_ID] = Role(ADMIN_ROLE_ID, GUILD_ID, "Admin", int(ADMIN), position=2)
    world.roles[BOT_ROLE_ID] = Role(
        BOT_ROLE_ID, GUILD_ID, "fillbot", int(EVERYONE), position=1, is_managed=True
    )
    for user_id in world.users:
        join(world, GUILD_ID, user_id, role_ids=_FIRST_ROLES.get(user_id, ()))
    return world


_FIRST_ROLES = {BOT_USER_ID: (BOT_ROLE_ID,), PEOPLE_IDS["ada"]: (ADMIN_ROLE_ID,)}


def add_person(world: World, name: str, *, is_bot: bool = False) -> User:
    """Add someone who is in no guild yet; a person's token is the name.

    Raises:
        NameTakenError: The name is taken.
    """
    if any(user.name == name for user in world.users.values()):
        raise NameTakenError(name)
    user = User(world.new_id(), name, is_bot)
    world.users[user.id] = user
    return user


def add_channel(
    world: World,
    guild_id: int,
    name: str,
    *,
    kind: ChannelKind = ChannelKind.TEXT,
    only_for: Iterable[int] | None = None,
) -> Channel:
    """Add a channel, visible to the whole guild or only to some of its members."""
    overwrites: tuple[Overwrite, ...] = ()
    if only_for is not None:
        view = int(Permission.VIEW_CHANNEL)
        hidden = Overwrite(guild_id, is_member=False, allow=0, deny=view)
        overwrites = (hidden, *(Overwrite(one, is_member=True, allow=view, deny=0) for one in only_for))
    position = len(world.channels_of(guild_id))
    channel = Channel(world.new_id(), kind, name, guild_id, position, overwrites=overwrites)
    world.channels[channel.id] = channel
    return channel


def create_guild(world: World, guild_id: int, *, name: str, owner_id: int) -> Guild:
    """Add a guild with its @everyone role, still without members and channels."""
    guild = Guild(guild_id, name, owner_id)
    world.guilds[guild_id] = guild
    world.roles[guild_id] = Role(guild_id, guild_id, "@everyone", int(EVERYONE), position=0)
    return guild


def join(world: World, guild_id: int, user_id: int, *, role_ids: tuple[int, ...] = ()) -> Member:
    """Make a user a member of a guild."""
    member = Member(user_id, guild_id, role_ids, FOUNDED_AT)
    world.members[guild_id, user_id] = member
    return member
