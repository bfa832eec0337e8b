"""The message that shows how far a run is."""

import asyncio
from collections import deque

import pytest

from bot.background import Supervisor
from bot.runs import progress
from bot.runs.progress import EditMethod, ProgressMessage
from bot.runs.remaining_time import RemainingTime


async def test_a_step_without_news_still_shows_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PACES", ((60.0, 0.0),))  # real pauses are seconds long
    ended = asyncio.Event()
    texts: list[str] = []

    async def edit(*, content: str) -> None:
        texts.append(content)
        if len(texts) == 3:
            ended.set()

    message = ProgressMessage(
        [EditMethod(edit)],
        RemainingTime(0.0),
        latest=deque([{"step": "loading the domain model", "done": 0, "total": 0}]),
        supervisor=Supervisor(),
        elsewhere="",
        refresh_s=0.0,
    )
    async with asyncio.timeout(10):
        await message.show_until(asyncio.create_task(ended.wait()))  # type: ignore[arg-type]
    assert len(texts) == 3
    assert all("loading the domain model" in text for text in texts)
