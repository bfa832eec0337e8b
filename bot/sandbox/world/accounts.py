"""Authentication: a person's token is their name, the bot's is a secret."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from bot.sandbox.world.state import World

BOT_SCHEME = "Bot "


class Accounts:
    """The tokens of the bot and of all people in the world, later additions included. Never logged."""

    def __init__(self, world: World, bot_token: str) -> None:
        self._world = world
        self._bot_token = bot_token

    def by_gateway_token(self, token: str) -> int | None:
        """Return the user id for a bare token, as in IDENTIFY, or None."""
        if hmac.compare_digest(token.encode(errors="replace"), self._bot_token.encode()):
            return self._world.bot_user_id
        for user in self._world.users.values():
            if not user.is_bot and hmac.compare_digest(token.encode(errors="replace"), user.name.encode()):
                return user.id
        return None

    def by_header(self, headers: Mapping[str, str]) -> int | None:
        """Return the user id for an ``Authorization`` header: ``Bot <token>`` or a person's bare name."""
        header = headers.get("Authorization", "")
        user_id = self.by_gateway_token(header.removeprefix(BOT_SCHEME))
        is_bot = user_id == self._world.bot_user_id
        return user_id if is_bot == header.startswith(BOT_SCHEME) else None
