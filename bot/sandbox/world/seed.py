"""The initial world: one guild with its channels, roles and people, under fixed ids."""

from collections.abc import Callable
from datetime import UTC, datetime

from bot.sandbox.world.permissions import ADMIN, EVERYONE
from bot.sandbox.world.state import Channel, ChannelKind, Guild, Member, Role, User, World

GUILD_ID = 1100000000000000001
SUPPORT_CHANNEL_ID = 1100000000000000101
REPORTS_CHANNEL_ID = 1100000000000000102
CHANNEL_IDS = {"support": SUPPORT_CHANNEL_ID, "reports": REPORTS_CHANNEL_ID}
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
    for position, (name, channel_id) in enumerate(CHANNEL_IDS.items()):
        world.channels[channel_id] = Channel(channel_id, ChannelKind.TEXT, name, GUILD_ID, position=position)
    world.roles[ADMIN_ROLE_ID] = Role(ADMIN_ROLE_ID, GUILD_ID, "Admin", int(ADMIN), position=2)
    world.roles[BOT_ROLE_ID] = Role(
        BOT_ROLE_ID, GUILD_ID, "fillbot", int(EVERYONE), position=1, is_managed=True
    )
    for user_id in world.users:
        join(world, GUILD_ID, user_id, role_ids=_FIRST_ROLES.get(user_id, ()))
    return world


_FIRST_ROLES = {BOT_USER_ID: (BOT_ROLE_ID,), PEOPLE_IDS["ada"]: (ADMIN_ROLE_ID,)}


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
