import asyncio

from structlog.testing import capture_logs

from bot.background import Background


async def test_a_failure_is_logged_under_its_name() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    background = Background()
    with capture_logs() as logs:
        await asyncio.wait([background.start(broken(), name="sums")])
        await asyncio.sleep(0)
    assert [(line["event"], line["task"]) for line in logs] == [("task.failed", "sums")]


async def test_closing_lets_work_finish_and_cancels_what_is_endless() -> None:
    finished = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        finished.append("work")

    async def watch() -> None:
        await asyncio.Event().wait()

    background = Background()
    background.start(work(), name="work")
    watching = background.start(watch(), name="watch", is_endless=True)
    await background.close()
    await background.close()
    assert finished == ["work"]
    assert watching.cancelled()


async def test_closing_cancels_what_outlasts_the_grace() -> None:
    background = Background()
    task = background.start(asyncio.Event().wait(), name="slow")
    await background.close(grace_s=0.01)
    assert task.cancelled()
