"""`kill -9` of the training run, at every step, at every write, and at any instant."""

import random
import time
from pathlib import Path

from faults.killed_runs import Command, Place, begun, fork, found_after_kill, measured
from faults.trials import STARTS_AGAIN_S, Found, fault

KILLED = -9


async def _killed_at(chance: random.Random, home: Path, command: Command, place: Place) -> Found:
    """Kill a run at one place of this kind; one that ended before is followed by another."""
    async with begun(home) as voting:
        places = (await measured(home, command, place))["places"]
        code = 0
        while code != KILLED:
            async with voting.going_on():
                # The later, the more there is to lose: pointers move at the end.
                at, is_promotable = int(chance.triangular(1, places + 1, places + 1)), chance.random() < 0.8
                ended = await fork(home, command, place=place, at=at, is_promotable=is_promotable)
            code = ended["code"]
            assert code in (0, KILLED), ended
        return await found_after_kill(home, voting, killed_at=time.monotonic(), command=command)


@fault("run killed at a step", group="process", times=80, limit_s=STARTS_AGAIN_S, is_quick=False)
async def run_killed_at_a_step(chance: random.Random, home: Path) -> Found:
    """Between any two things that a run does."""
    return await _killed_at(chance, home, "night", "step")


@fault("run killed at a write", group="process", times=120, limit_s=STARTS_AGAIN_S)
async def run_killed_at_a_write(chance: random.Random, home: Path) -> Found:
    """Right before any change of the file system, flush to the disk or commit."""
    return await _killed_at(chance, home, "night", "write")


@fault("domain run killed at a write", group="process", times=40, limit_s=STARTS_AGAIN_S, is_quick=False)
async def domain_run_killed_at_a_write(chance: random.Random, home: Path) -> Found:
    """The same for the run that moves both pointers."""
    return await _killed_at(chance, home, "domain", "write")


@fault("run killed at any instant", group="process", times=60, limit_s=STARTS_AGAIN_S, is_quick=False)
async def run_killed_at_any_instant(chance: random.Random, home: Path) -> Found:
    """From outside, wherever it is: inside a write, inside a library."""
    async with begun(home) as voting:
        took_s = (await measured(home, "night", "none"))["took_s"]
        code = 0
        while code != KILLED:
            async with voting.going_on():
                ended = await fork(home, after_s=chance.uniform(0, took_s))
            code = ended["code"]
        return await found_after_kill(home, voting, killed_at=time.monotonic(), command="night")
