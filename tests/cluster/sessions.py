"""Sessions of PostgreSQL that hold locks."""

import asyncio

import asyncpg


def end_sessions(url: str) -> int:
    """End every session that holds a lock, as an administrator or a failing network would."""

    async def end() -> int:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return int(
                await connection.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' "
                    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            )
        finally:
            await connection.close()

    return asyncio.run(end())
