"""Background tasks: failures are logged, counted and shown, and endless loops go on."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs
from support.wire import eventually, wired

from bot.answering.champion_follower import BotChampionFollower
from bot.background import Background, Supervisor
from bot.operations.metrics import Metrics
from bot.privacy.forgetting import Forgetting
from bot.runs.automatic_rollback import AutomaticRollback
from bot.voting.reconcile import Reconcile

Work = Callable[[], Coroutine[Any, Any, None]]


class Flaky:
    """A loop that fails in given ways, one a start, and goes on for ever after them."""

    def __init__(self, *failures: Callable[[], None]) -> None:
        self._failures = list(failures)
        self.starts = 0
        self.is_steady = asyncio.Event()

    async def run(self) -> None:
        self.starts += 1
        if self._failures:
            self._failures.pop(0)()
            return
        self.is_steady.set()
        await asyncio.Event().wait()


def raises(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def returns() -> None:
    """As an endless loop should not."""


def failures_of(metrics: Metrics, task: str) -> float | None:
    return metrics.registry.get_sample_value("fillbot_background_failures_total", {"task": task})


async def test_a_failure_is_logged_under_its_name() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    background = Background()
    with capture_logs() as logs:
        await asyncio.wait([background.start(broken(), name="sums")])
        await asyncio.sleep(0)  # the callback of the task that ended
    assert [(line["event"], line["task"]) for line in logs] == [("task.failed", "sums")]


@pytest.mark.parametrize(
    "fail",
    [raises(KeyError("id")), raises(MemoryError()), raises(asyncio.CancelledError()), returns],
    ids=["error", "no memory", "somebody else was cancelled", "returned"],
)
async def test_an_endless_loop_goes_on_after_a_failure(fail: Callable[[], None]) -> None:
    metrics, flaky = Metrics(), Flaky(fail, fail)
    background = Background(Supervisor(metrics, first_s=0))
    background.supervise(flaky.run, name="loop")
    with capture_logs() as logs:
        async with asyncio.timeout(5):
            await flaky.is_steady.wait()
    assert flaky.starts == 3
    assert failures_of(metrics, "loop") == 2
    assert [(line["event"], line["task"]) for line in logs] == [("task.failed", "loop")] * 2
    assert all(line["exc_info"] is not None for line in logs)
    await background.close()


async def test_a_failing_loop_is_shown_until_it_has_been_steady() -> None:
    supervisor, flaky = Supervisor(first_s=0, steady_s=0.2), Flaky(raises(KeyError("id")))
    background = Background(supervisor)
    background.supervise(flaky.run, name="loop")
    await flaky.is_steady.wait()
    assert supervisor.failing() == {"loop": "KeyError"}

    async def is_well() -> bool:
        return not supervisor.failing()

    await eventually(is_well)
    await background.close()


async def test_the_pause_between_restarts_doubles_up_to_its_limit() -> None:
    flaky = Flaky(*[raises(KeyError("id"))] * 4)
    background = Background(Supervisor(first_s=0.01, at_most_s=0.02))
    background.supervise(flaky.run, name="loop")
    with capture_logs() as logs:
        await flaky.is_steady.wait()
    assert [line["again_s"] for line in logs] == [0.01, 0.02, 0.02, 0.02]
    await background.close()


async def test_the_pause_is_short_again_after_a_steady_while() -> None:
    flaky = Flaky(*[raises(KeyError("id"))] * 3)
    background = Background(Supervisor(first_s=0.01, steady_s=-1.0))  # steady at once
    background.supervise(flaky.run, name="loop")
    with capture_logs() as logs:
        await flaky.is_steady.wait()
    assert [line["again_s"] for line in logs] == [0.01] * 3
    await background.close()


async def test_a_loop_that_may_end_is_not_restarted_when_it_does() -> None:
    metrics, flaky = Metrics(), Flaky(returns)
    background = Background(Supervisor(metrics))
    await background.supervise(flaky.run, name="loop", may_end=True)
    assert flaky.starts == 1
    assert failures_of(metrics, "loop") == 0


async def test_closing_does_not_wait_for_the_next_restart() -> None:
    background = Background(Supervisor(first_s=3600))
    flaky = Flaky(raises(KeyError("id")))
    task = background.supervise(flaky.run, name="loop")

    async def is_failing() -> bool:
        return bool(background.supervisor.failing())

    await eventually(is_failing)
    async with asyncio.timeout(5):
        await background.close()
    assert task.cancelled()


async def test_closing_lets_work_finish_and_cancels_what_is_endless() -> None:
    finished, may_finish = [], asyncio.Event()

    async def work() -> None:
        await may_finish.wait()
        finished.append("work")

    async def watch() -> None:
        await asyncio.Event().wait()

    background = Background()
    background.start(work(), name="work")
    watching = background.supervise(watch, name="watch")
    closing = asyncio.create_task(background.close())
    await asyncio.wait([watching])
    may_finish.set()
    await closing
    await background.close()
    assert finished == ["work"]
    assert watching.cancelled()


async def test_closing_ends_a_loop_that_swallowed_its_cancellation() -> None:
    """As aiohttp does: the first cancellation comes out as another error, and the loop would be restarted."""
    swallowed, restarts = 0, 0

    async def loop() -> None:
        nonlocal swallowed, restarts
        restarts += 1
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed == 2:
                    raise
                swallowed += 1
                if swallowed == 2:
                    raise OSError("Connector is closed.") from None

    background = Background(Supervisor(first_s=3600))
    task = background.supervise(loop, name="loop")
    await asyncio.sleep(0)  # it waits
    async with asyncio.timeout(5):
        await background.close()
    assert task.cancelled()
    assert (swallowed, restarts) == (2, 1)


async def test_closing_cancels_what_outlasts_the_grace() -> None:
    background = Background()
    task = background.start(asyncio.Event().wait(), name="slow")
    await background.close(grace_s=0.01)
    assert task.cancelled()


@pytest.mark.parametrize(
    ("part", "method", "task"),
    [
        (Reconcile, "reconcile", "reconcile"),
        (BotChampionFollower, "follow_champion", "champion watch"),
        (AutomaticRollback, "check", "automatic rollback"),
        (Forgetting, "settle", "forgetting"),
    ],
)
async def test_a_running_bot_goes_on_and_tells_when_a_loop_fails(
    home: Path, monkeypatch: pytest.MonkeyPatch, part: type, method: str, task: str
) -> None:
    real, is_failed, is_back = getattr(part, method), asyncio.Event(), asyncio.Event()

    async def once_broken(*arguments: Any, **options: Any) -> Any:
        if not is_failed.is_set():
            is_failed.set()
            raise KeyError("flags")
        is_back.set()
        return await real(*arguments, **options)

    monkeypatch.setattr(part, method, once_broken)
    async with wired(home, health_port=0) as wire, aiohttp.ClientSession(wire.app.health_url) as http:
        async with asyncio.timeout(20):
            await is_back.wait()
        async with http.get("/readyz") as response:
            assert response.status == 200
            assert "KeyError" in (await response.json())["warnings"][task]
        async with http.get("/metrics") as response:
            assert f'fillbot_background_failures_total{{task="{task}"}} 1.0' in await response.text()


async def test_nothing_begins_after_the_close() -> None:
    background, begun = Background(), False

    async def begin() -> None:
        nonlocal begun
        begun = True

    await background.close()
    task = background.start(begin(), name="late")
    await asyncio.wait([task])
    assert task.cancelled()
    assert not begun
