"""The readiness probes and gauges of a running bot."""

import math

from sqlalchemy import text

from bot.operations.metrics import size_of
from bot.wiring import Parts
from training.registry.sharing import shared_versions


def register_probes(parts: Parts) -> None:
    """Register the readiness probes and the gauges."""
    bot, metrics, readiness = parts.discord.bot, parts.operations.metrics, parts.operations.readiness
    shared, predictor = shared_versions(parts.storage.registry), parts.inference.predictor
    database_file = parts.storage.database_file

    async def discord() -> str | None:
        return None if bot.is_online else "not connected to Discord"

    async def database() -> str | None:
        async with parts.storage.database.read() as connection:
            await connection.execute(text("SELECT version_num FROM alembic_version"))
        return None

    async def model() -> str | None:
        return None  # the app does not start without a model

    for part, probe in (("discord", discord), ("database", database), ("model", model)):
        readiness.add(part, probe)

    def warnings() -> dict[str, str]:
        failing = parts.operations.background.supervisor.failing()
        found = {task: f"this background task fails with {error}" for task, error in failing.items()}
        if shared is not None and shared.trouble is not None:
            found["models"] = shared.trouble
        return found

    readiness.warnings = warnings
    readiness.model_version = lambda: predictor.version
    readiness.service = lambda: predictor.service
    metrics.add_gauge("discord_connected", "1 while the gateway is connected, else 0.", lambda: bot.is_online)
    metrics.add_gauge(
        "gateway_latency_seconds",
        "Seconds between a heartbeat and its acknowledgement; NaN before the first one.",
        lambda: bot.latency if math.isfinite(bot.latency) else math.nan,
    )
    metrics.add_gauge("queries_waiting", "Queries waiting for the model.", lambda: predictor.waiting)
    metrics.add_gauge(
        "service_reachable",
        "1 while the inference service answers; 0 if the local session does, or no service is configured.",
        lambda: predictor.is_answered_remotely,
    )
    metrics.add_gauge(
        "run_in_progress",
        "1 while a training run is in progress, else 0.",
        lambda: parts.runs.is_running,
    )
    metrics.add_gauge(
        "champion_serves",
        "0 while another version answers because the champion is damaged, else 1.",
        lambda: parts.inference.follower.trouble is None,
    )
    if shared is not None:
        metrics.add_gauge(
            "models_storage_reached",
            "0 while the shared storage of model versions cannot be reached, else 1.",
            lambda: shared.trouble is None,
        )
    if database_file is not None:
        metrics.add_gauge(
            "database_size_bytes",
            "Size of the database file with its write-ahead log.",
            lambda: size_of(database_file),
        )
    metrics.add_gauge(
        "last_backup_timestamp_seconds",
        "Unix time of the newest backup; 0 without any.",
        parts.scheduled.backups.last_made_s,
    )
