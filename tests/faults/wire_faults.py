"""Trouble between Discord and the bot."""

import random
import time
from pathlib import Path

from faults.hosted import hosted
from faults.trials import Found, fault

from bot.sandbox.server import Sandbox


@fault("gateway closed", group="wire", times=20)
async def gateway_closed(chance: random.Random, home: Path) -> Found:
    """The socket closes with any code after which a client may come back."""
    async with Sandbox() as sandbox, hosted(home, sandbox) as wire, wire.member() as ann:
        reply = await wire.ask(ann)
        sandbox.faults.drop_gateway(chance.choice((1000, 1001, 4000, 4007, 4009)))
        ended_at = time.monotonic()
        await ann.react(reply, "👍")
        await wire.ask(ann)
        recovery_s = time.monotonic() - ended_at
        await wire.until_votes(reply, (ann, 1))
    return Found(recovery_s=recovery_s)
