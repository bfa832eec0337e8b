"""Charts, drawn in a short-lived subprocess so that the bot never imports matplotlib."""

import io
import json
from dataclasses import asdict
from typing import Any

import discord
import structlog

from bot.embeds.replies import escape
from bot.errors import PictureError
from bot.settings import Settings
from bot.subprocesses.training_process import SubprocessSlots, ask_subprocess
from bot.texts import language, say, translated
from storage.sentences import sentence_in

log = structlog.stdlib.get_logger(__name__)
AT_ONCE = 2
TIMEOUT_S = 60.0
DRAWINGS, DRAWINGS_WITHIN_S = 5, 30  # per person: a picture takes seconds of CPU time


class ChartRenderer:
    """Draws at most `AT_ONCE` charts at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = SubprocessSlots(AT_ONCE)

    async def draw(self, kind: str, **what: Any) -> bytes:
        """Draw a chart as PNG. `what` is passed on standard input, which no other process can read.

        Raises:
            PictureError: it could not be drawn; the message says why.
            BusyError: too many charts are waiting.
        """
        body = json.dumps({"kind": kind, "language": asdict(language()), **what}).encode()
        try:
            async with self._slots.one():
                code, output = await ask_subprocess(
                    self._settings, "draw", question=body, timeout_s=TIMEOUT_S
                )
        except TimeoutError as error:
            raise PictureError(say("pictures.too_slow", seconds=round(TIMEOUT_S))) from error
        except OSError as error:
            raise PictureError(say("pictures.failed")) from error
        if code:
            log.warning("picture.failed", kind=kind, code=code)
            raise PictureError(_sentence(output))
        return output


def attach(embed: discord.Embed, png: bytes, *, name: str, about: str) -> discord.File:
    """Show the chart in the embed. Returns the file to send with it; screen readers read `about`."""
    filename = f"{name}.png"
    embed.set_image(url=f"attachment://{filename}")
    return discord.File(io.BytesIO(png), filename, description=about[:1024])


def _sentence(output: bytes) -> str:
    """Return the subprocess's own error sentence, or a general one if it was killed."""
    try:
        return escape(translated(sentence_in(json.loads(output))))
    except (ValueError, AttributeError):
        return say("pictures.failed")
