"""A job on a Ray cluster, by the cluster's HTTP interface: submitted, followed line by line, stopped."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from ray.job_submission import JobStatus, JobSubmissionClient

from training.distributed.ray.errors import (
    ClusterFullError,
    ClusterLostError,
    ClusterRefusedError,
    ClusterUnreachableError,
)

REQUEST_S = 10.0  # of one request
POLL_S = 1.0  # between looks at the job
LOST_S = 30.0  # of silence
STOP_S = 6.0  # for a job to end: Ray kills it after three, and the bot its child after ten


class _Client(JobSubmissionClient):
    """The same, whose requests end."""

    def _do_request(self, *arguments: Any, **others: Any) -> Any:
        return super()._do_request(*arguments, **{"timeout": REQUEST_S, **others})


class Job:
    """One job, submitted; `follow` waits for its end."""

    def __init__(self, client: _Client, address: str, job_id: str) -> None:
        self._client, self._address, self.id = client, address, job_id

    @classmethod
    async def submit(
        cls, address: str, entrypoint: str, *, job_id: str, environment: dict[str, str]
    ) -> "Job":
        """Hand it to the cluster.

        Raises:
            ClusterUnreachableError: nobody answers there.
            ClusterRefusedError: the answer is no.
        """
        for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):  # would go before the setting
            os.environ.pop(name, None)

        def work() -> _Client:
            client = _Client(address)
            client.submit_job(
                entrypoint=entrypoint, submission_id=job_id, runtime_env={"env_vars": environment}
            )
            return client

        try:
            return cls(await asyncio.to_thread(work), address, job_id)
        except OSError as error:  # of requests, too
            raise ClusterUnreachableError(address) from error
        except RuntimeError as error:
            raise ClusterRefusedError(address, _first_line(error)) from error

    async def follow(self, on_line: Callable[[str], None], *, wait_s: float, lost_s: float = LOST_S) -> None:
        """Hand every line of its log to `on_line`, once, until it has ended.

        Args:
            on_line: called with lines in order; what it raises is raised.
            wait_s: for room on the cluster.
            lost_s: of silence after which the cluster is given up.

        Raises:
            ClusterLostError: nothing is heard of the cluster.
            ClusterFullError: there was no room.
        """
        watch = asyncio.create_task(self._watch(wait_s, lost_s))
        tail = asyncio.create_task(self._tail(on_line))
        try:
            await asyncio.wait({watch, tail}, return_when=asyncio.FIRST_COMPLETED)
            if tail.done():
                tail.result()  # raises what `on_line` does, at once
            await watch
            await asyncio.wait({tail}, timeout=REQUEST_S)
            if tail.done():
                tail.result()
        finally:
            for task in (watch, tail):
                task.cancel()
            await asyncio.gather(watch, tail, return_exceptions=True)

    async def stop(self) -> None:
        """End it, and wait until it has ended, or for `STOP_S`. Says nothing where the cluster is gone."""
        with contextlib.suppress(OSError, RuntimeError):  # a TimeoutError is an OSError
            async with asyncio.timeout(STOP_S):
                await asyncio.to_thread(self._client.stop_job, self.id)
                while not (await self._status()).is_terminal():  # noqa: ASYNC110  no event says it
                    await asyncio.sleep(0.2)

    async def end(self) -> tuple[JobStatus, int | None]:
        """How it ended, and the exit code of its process where that ended by itself."""
        details = await asyncio.to_thread(self._client.get_job_info, self.id)
        return details.status, details.driver_exit_code

    async def _status(self) -> JobStatus:
        return await asyncio.to_thread(self._client.get_job_status, self.id)

    async def _watch(self, wait_s: float, lost_s: float) -> None:
        """Return when the job has ended."""
        begun = last_heard = time.monotonic()
        while True:
            try:
                status = await self._status()
            except (OSError, RuntimeError) as error:  # RuntimeError: the head answers that it cannot
                if time.monotonic() - last_heard > lost_s:
                    raise ClusterLostError(self._address, lost_s) from error
            else:
                last_heard = time.monotonic()
                if status.is_terminal():
                    return
                if status == JobStatus.PENDING and last_heard - begun > wait_s:
                    raise ClusterFullError(self._address, wait_s)
            await asyncio.sleep(POLL_S)

    async def _tail(self, on_line: Callable[[str], None]) -> None:
        async for line in self._lines():
            on_line(line)

    async def _lines(self) -> AsyncIterator[str]:
        """What the log grows by; after a connection broke, from where it was."""
        read, rest = 0, ""
        while True:
            passed = 0
            with contextlib.suppress(OSError, RuntimeError, aiohttp.ClientError):  # `_watch` decides
                async for chunk in self._client.tail_job_logs(self.id):
                    new = chunk[max(0, read - passed) :]
                    passed += len(chunk)
                    read = max(read, passed)
                    *lines, rest = (rest + new).split("\n")
                    for line in lines:
                        yield line
                if (await self._status()).is_terminal():
                    yield rest
                    return
            await asyncio.sleep(POLL_S)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
