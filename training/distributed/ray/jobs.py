"""Submit, follow and stop a job on a Ray cluster through its HTTP API."""

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
POLL_S = 1.0  # between status requests
LOST_S = 30.0  # of silence
STOP_S = 6.0  # for a job to end: Ray kills it after 3 s, and the bot kills this process after 10 s


class _Client(JobSubmissionClient):
    """A JobSubmissionClient whose requests time out."""

    def _do_request(self, *arguments: Any, **others: Any) -> Any:
        return super()._do_request(*arguments, **{"timeout": REQUEST_S, **others})


class Job:
    """A submitted job; `follow` waits for its end."""

    def __init__(self, client: _Client, address: str, job_id: str) -> None:
        self._client, self._address, self.id = client, address, job_id

    @classmethod
    async def submit(
        cls, address: str, entrypoint: str, *, job_id: str, environment: dict[str, str]
    ) -> "Job":
        """Submit a job.

        Raises:
            ClusterUnreachableError: No head node answers.
            ClusterRefusedError: The cluster rejected it.
        """
        for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):  # they take precedence over the setting
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
        """Pass every line of the log to `on_line`, once and in order, until the job has ended.

        Args:
            on_line: Its exceptions end the call.
            wait_s: How long the job may wait for resources.
            lost_s: How long the cluster may be silent.

        Raises:
            ClusterLostError: The cluster stopped answering.
            ClusterFullError: The job did not get its resources in time.
        """
        watch = asyncio.create_task(self._watch(wait_s, lost_s))
        tail = asyncio.create_task(self._tail(on_line))
        try:
            await asyncio.wait({watch, tail}, return_when=asyncio.FIRST_COMPLETED)
            if tail.done():
                tail.result()  # raises what `on_line` raised
            await watch
            await asyncio.wait({tail}, timeout=REQUEST_S)
            if tail.done():
                tail.result()
        finally:
            for task in (watch, tail):
                task.cancel()
            await asyncio.gather(watch, tail, return_exceptions=True)

    async def stop(self) -> None:
        """Stop the job and wait up to `STOP_S` for its end. Silent if the cluster is unreachable."""
        with contextlib.suppress(OSError, RuntimeError):  # a TimeoutError is an OSError
            async with asyncio.timeout(STOP_S):
                await asyncio.to_thread(self._client.stop_job, self.id)
                while not (await self._status()).is_terminal():  # noqa: ASYNC110  Ray has no event for it
                    await asyncio.sleep(0.2)

    async def end(self) -> tuple[JobStatus, int | None]:
        """Return the final status, and the exit code of the process if it exited by itself."""
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
            except (OSError, RuntimeError) as error:  # RuntimeError: an error response of the head node
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
        """Yield new lines of the log; resume after a lost connection."""
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
