"""The bot on several shards; one process may run some of them and other processes the rest."""

import asyncio
import time
from typing import Any

import discord
import structlog

from bot.answering.load_shedding import LoadShedding
from bot.background import Background
from bot.client import FillBot
from bot.connection.rate_limiter import RateLimiter
from bot.distributed.identify import SharedIdentifyLimit
from bot.distributed.shards import Shards
from bot.operations.metrics import Metrics
from bot.settings import Settings
from storage.backends.locks import is_shared

log = structlog.stdlib.get_logger(__name__)


class ShardedBot(FillBot, discord.AutoShardedClient):
    """The bot with one connection per shard; `turns` paces IDENTIFY, `options` are those of `FillBot`."""

    def __init__(self, *, shards: Shards, turns: SharedIdentifyLimit, **options: Any) -> None:
        super().__init__(shards=shards, shard_ids=list(shards.ids), shard_count=shards.count, **options)
        self._turns = turns
        self._at_once = 1  # sessions that may identify concurrently

    @property
    def is_online(self) -> bool:
        """Whether every shard is connected and ready."""
        connected = [one for one in self.shards.values() if not one.is_closed()]
        return self.is_ready() and not self.is_closed() and len(connected) == len(self.shards_here.ids)

    async def setup_hook(self) -> None:
        """Fetch how many sessions may identify concurrently, before the first does."""
        try:
            self._at_once = (await self.fetch_session_start_limits()).max_concurrency
        except (discord.HTTPException, discord.GatewayNotFound):
            log.warning("shards.limits_unknown", exc_info=True)
        log.info("shards.starting", shards=str(self.shards_here), at_once=self._at_once)
        await super().setup_hook()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait as Discord's limits require, first for this process and then for the others."""
        bucket = (shard_id or 0) % self._at_once
        await asyncio.sleep(self._identify_limiter.reserve_s(time.monotonic(), bucket=bucket))
        await self._turns.wait(bucket)

    async def on_shard_ready(self, shard_id: int) -> None:
        """Log it; `on_ready` fires only once, when all shards are ready."""
        log.info("shard.ready", shard=shard_id, guilds=sum(one.shard_id == shard_id for one in self.guilds))


def make_bot(
    settings: Settings, background: Background, *, guild_ids: tuple[int, ...], metrics: Metrics
) -> FillBot:
    """Build the client with as many connections as the settings ask for."""
    options: dict[str, Any] = {
        "prefix": settings.prefix,
        "guild_ids": guild_ids,
        "admin_role_ids": settings.admin_role_ids,
        "role_weights": settings.role_weights,
        "syncs_commands": not is_shared(settings.url),
        "shedding": LoadShedding(background, RateLimiter(share=settings.shards.share), metrics=metrics),
    }
    if settings.shard_count == 1:
        return FillBot(**options)
    return ShardedBot(shards=settings.shards, turns=SharedIdentifyLimit(settings, background), **options)
