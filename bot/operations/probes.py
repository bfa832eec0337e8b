"""What readiness and the gauges look at in the parts of a running bot."""

import math
from pathlib import Path

from sqlalchemy import text

from bot.cogs.all_cogs import Parts
from bot.operations.backups import Backups
from bot.operations.health import Readiness
from bot.operations.metrics import size_of


def watch_parts(parts: Parts, readiness: Readiness, *, backups: Backups, database_file: Path | None) -> None:
    """Let readiness and metrics look at these parts."""
    bot, metrics = parts.bot, parts.metrics

    async def discord() -> str | None:
        return None if bot.is_online else "not connected to Discord"

    async def database() -> str | None:
        async with parts.database.read() as connection:
            await connection.execute(text("SELECT version_num FROM alembic_version"))
        return None

    async def model() -> str | None:
        return None  # there is no predictor without one

    for part, probe in (("discord", discord), ("database", database), ("model", model)):
        readiness.add(part, probe)

    def warnings() -> dict[str, str]:
        failing = parts.background.supervisor.failing()
        found = {task: f"this background task fails with {error}" for task, error in failing.items()}
        if (trouble := parts.registry.trouble) is not None:
            found["models"] = trouble
        return found

    readiness.warnings = warnings
    readiness.model_version = lambda: parts.predictor.version
    readiness.service = lambda: parts.predictor.service
    metrics.watched("discord_connected", "1: the gateway is connected.", lambda: float(bot.is_online))
    metrics.watched(
        "gateway_latency_seconds",
        "Between a heartbeat and its answer; NaN while there is none.",
        lambda: bot.latency if math.isfinite(bot.latency) else math.nan,
    )
    metrics.watched(
        "queries_waiting", "Queries that wait for the model.", lambda: float(parts.predictor.waiting)
    )
    metrics.watched(
        "service_reachable",
        "1: the service answers; 0: the session here does in its place, or there is no service.",
        lambda: float(parts.predictor.is_answered_far),
    )
    metrics.watched("run_in_progress", "1: a run is in progress.", lambda: float(parts.runs.is_running))
    metrics.watched(
        "champion_serves",
        "0: the champion is damaged and another version serves.",
        lambda: float(parts.serving.trouble is None),
    )
    if parts.registry.is_shared:
        metrics.watched(
            "models_storage_reached",
            "0: what other machines do with the versions is not seen at present.",
            lambda: float(parts.registry.trouble is None),
        )
    if database_file is not None:
        metrics.watched("database_size_bytes", "The database with its log.", lambda: size_of(database_file))
    metrics.watched(
        "last_backup_timestamp_seconds",
        "When the newest backup was made, since 1970; 0: there is none.",
        backups.last_made_s,
    )
