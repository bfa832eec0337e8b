"""Machines that are killed at every change they make to the disk; run by a test, in a process of its own.

Arguments: a folder to work in, and how many changes lie between two kills.
"""

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from support.shared_machines import database_next_to, machine  # noqa: E402
from support.shared_stories import begun, night  # noqa: E402

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.rmtree")


def kill_at(folder: Path, deadly: int) -> None:
    """End this process before its n-th change."""
    passed = 0

    def hear(event: str, details: tuple[Any, ...]) -> None:
        nonlocal passed
        is_written = event == "open" and details[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if event in CHANGES or (is_written and str(details[0]).startswith(str(folder))):
            passed += 1
            if passed == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


def killed_night(folder: Path, where: tuple[str, str], deadly: int) -> None:
    """A night that ends before its n-th change."""
    kill_at(folder, deadly)
    night(folder / "here", *where)


def main(folder: Path, step: int) -> None:
    """Kill one machine after the other; another one looks whether all is whole."""
    shared = folder / "shared"
    shared.mkdir()
    where = str(shared), database_next_to(str(shared))
    begun(machine(folder / "here", *where), 3)
    watcher = machine(folder / "watcher", *where)
    deadly, is_passed = 1, False
    context = multiprocessing.get_context("forkserver")  # a fork would inherit the connections of SQLite
    context.set_forkserver_preload(["__main__"])
    while not is_passed:
        child = context.Process(target=killed_night, args=(folder, where, deadly))
        child.start()
        child.join()
        code = child.exitcode
        is_passed = code == 0
        assert is_passed or code == -signal.SIGKILL, code
        watcher.pull()
        again = machine(folder / "here", *where)
        again.pull()
        assert (again.versions(), again.champion()) == (watcher.versions(), watcher.champion())
        for registry in (again, watcher):
            for version in registry.versions():
                registry.verify(version)
        deadly += step
    sys.stdout.write(f"killed {deadly // step - 1} times\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
