"""Trouble with the disk under the database: full, read-only, slow, locked, damaged."""

import asyncio
import contextlib
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.hosted import hosted
from faults.trials import Found, fault
from sqlalchemy import event
from support.people import Person
from support.versions import card
from support.wire import QUERY, Wire

from bot.errors import StartError
from bot.sandbox.server import Sandbox
from storage.errors import BackupError
from storage.maintenance.backups import back_up_today, daily, examine
from training.errors import RegistryError
from training.registry.versions import Registry

PAGE = 4096
DISK_BYTES = 12_000_000


@contextlib.contextmanager
def small_disk(home: Path) -> Iterator[Path | None]:
    """A real file system of so many bytes, with this home on it; None where this user may mount none."""
    disk = home / "disk"
    disk.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk))
    if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        yield None
        return
    try:
        shutil.copytree(home / "models", disk / "models")
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


@contextlib.contextmanager
def filled_up(disk: Path) -> Iterator[None]:
    """Not a byte is free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65536, PAGE, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\x00" * size):
                    pass
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def on_connections(wire: Wire, *pragmas: str, after: tuple[str, ...]) -> Iterator[None]:
    """Set pragmas on every connection that the bot takes, and others once it is over."""
    engine = wire.app.database._engine.sync_engine
    now = list(pragmas)

    def take(connection: Any, _record: object, _proxy: object) -> None:
        cursor = connection.cursor()
        for pragma in now:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "checkout", take)
    try:
        yield
    finally:
        now[:] = after


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Every write beyond so many bytes of a file fails, as on a disk without room for it."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


async def lost(wire: Wire, reply: dict[str, Any], *expected: tuple[Person, int]) -> int:
    """How many votes on a reply are missing, or should not be there, once there was time to count them."""
    with contextlib.suppress(AssertionError, TimeoutError):
        await wire.until_votes(reply, *expected)
    row = await wire.row(reply)
    top = next(c["word"] for c in row["candidates"] if c["rank"] == 0)
    wanted = {(0, top, who.id, value) for who, value in expected}
    return len(wanted ^ set(await wire.votes(reply)))


async def unwritable(chance: random.Random, wire: Wire, trouble: Any) -> Found:
    """Ask and vote while the database cannot be written, then see what came of it."""
    async with wire.member() as ann, wire.member() as ben:
        reply = await wire.ask(ann)
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
        with trouble:
            values = {ann: chance.choice((1, -1)), ben: chance.choice((1, -1))}
            if values[ann] < 0:
                await ann.unreact(reply, "👍")
                await ann.react(reply, "👎")
            await ben.react(reply, "👍" if values[ben] > 0 else "👎")
            told = await wire.say(ben, f"!fill {QUERY}")
            wrong = int("cannot be used" not in told["content"] and not told["embeds"])
            alive = await wire.say(ann, "!help")
            wrong += int(not alive["embeds"])
        ended_at = time.monotonic()
        await wire.ask(ben)
        recovery_s = time.monotonic() - ended_at
        return Found(await lost(wire, reply, *values.items()), 0, wrong, recovery_s)


@fault("disk full", group="disk", times=20)
async def disk_full(chance: random.Random, home: Path) -> Found:
    """A file system without a free byte, and then with room again; or a read-only one without the right."""
    with small_disk(home) as disk:
        async with Sandbox() as sandbox, hosted(disk or home, sandbox) as wire:
            if disk is None:
                full: Any = on_connections(wire, "query_only = ON", after=("query_only = OFF",))
            else:
                full = filled_up(disk)
            return await unwritable(chance, wire, full)


@fault("database read-only", group="disk", times=20, is_of_files=True)
async def read_only(chance: random.Random, home: Path) -> Found:
    """Nothing can be written for a while."""
    async with Sandbox() as sandbox, hosted(home, sandbox) as wire:
        only = on_connections(wire, "query_only = ON", after=("query_only = OFF",))
        return await unwritable(chance, wire, only)


@fault("database locked", group="disk", times=20, is_of_files=True)
async def locked(chance: random.Random, home: Path) -> Found:
    """Somebody else holds the write lock for longer than the bot waits, which is made short."""
    async with Sandbox() as sandbox, hosted(home, sandbox) as wire:

        @contextlib.contextmanager
        def held() -> Iterator[None]:
            with on_connections(wire, "busy_timeout = 200", after=("busy_timeout = 15000",)):
                other = sqlite3.connect(home / "fillbot.db", isolation_level=None)
                other.execute("BEGIN EXCLUSIVE")
                try:
                    yield
                finally:
                    other.execute("ROLLBACK")
                    other.close()

        return await unwritable(chance, wire, held())


@fault("disk slow", group="disk", times=20, is_quick=False)
async def slow(chance: random.Random, home: Path) -> Found:
    """Every commit takes long: who votes and asks waits, and nobody is lost."""
    async with Sandbox() as sandbox, hosted(home, sandbox) as wire:
        engine, is_slow = wire.app.database._engine.sync_engine, False

        def wait(connection: Any) -> None:
            driver: Any = connection.connection.dbapi_connection
            if is_slow:
                driver.run_async(lambda aiosqlite: aiosqlite._execute(time.sleep, chance.uniform(0.1, 0.4)))

        event.listen(engine, "commit", wait)

        async with wire.member() as ann, wire.member() as ben:
            reply = await wire.ask(ann)
            is_slow = True
            await asyncio.gather(ann.react(reply, "👍"), ben.react(reply, "👎"))
            other = await wire.ask(ben)
            await ben.react(other, "👍")
            is_slow = False
            ended_at = time.monotonic()
            await wire.ask(ann)
            recovery_s = time.monotonic() - ended_at
            missing = await lost(wire, reply, (ann, 1), (ben, -1)) + await lost(wire, other, (ben, 1))
    return Found(lost_votes=missing, recovery_s=recovery_s)


def zeroed(chance: random.Random, file: Path) -> None:
    """Pages of nothing."""
    _overwritten(chance, file, lambda: b"\x00" * PAGE)


def scrambled(chance: random.Random, file: Path) -> None:
    """Pages of anything."""
    _overwritten(chance, file, lambda: chance.randbytes(PAGE))


def _overwritten(chance: random.Random, file: Path, content: Callable[[], bytes]) -> None:
    pages = file.stat().st_size // PAGE
    with file.open("r+b") as opened:
        for page in chance.sample(range(pages), min(pages, chance.randint(1, 4))):
            opened.seek(page * PAGE)
            opened.write(content())


def headless(chance: random.Random, file: Path) -> None:
    """The header is gone."""
    with file.open("r+b") as opened:
        opened.write(chance.randbytes(100))


def cut(chance: random.Random, file: Path) -> None:
    """Only the beginning is there."""
    with file.open("r+b") as opened:
        opened.truncate(chance.randrange(file.stat().st_size))


def emptied(_chance: random.Random, file: Path) -> None:
    """Nothing is there."""
    file.write_bytes(b"")


def torn_log(chance: random.Random, file: Path) -> None:
    """A write-ahead log whose last write was not finished when the power went."""
    log = file.with_name(f"{file.name}-wal")
    log.write_bytes((log.read_bytes() if log.exists() else b"") + chance.randbytes(chance.randint(1, 9000)))


SPOILS = (zeroed, scrambled, headless, cut, emptied, torn_log)


@contextlib.asynccontextmanager
async def voted(home: Path, sandbox: Sandbox) -> AsyncIterator[tuple[Wire, Person, Person, dict[str, Any]]]:
    """A bot with a backup, and a vote on a reply before it and one after."""
    async with hosted(home, sandbox) as wire, wire.member() as ann, wire.member() as ben:
        for number in range(8):
            reply = await wire.ask(ann, f"{number} Nike shoes are very [MASK]")
        await ann.react(reply, "👍")
        await wire.until_votes(reply, (ann, 1))
        backups, today = home / "backups", datetime.now(UTC).date()
        await asyncio.to_thread(back_up_today, home / "fillbot.db", backups, keep=7, today=today)
        await ben.react(reply, "👎")
        await wire.until_votes(reply, (ann, 1), (ben, -1))
        yield wire, ann, ben, reply


async def mended(home: Path, sandbox: Sandbox, reply: dict[str, Any], *expected: tuple[Person, int]) -> Found:
    """Start on a home whose database may be damaged, and see what is there."""
    started = time.monotonic()
    async with hosted(home, sandbox) as wire, wire.member() as cleo, wire.person("owner") as owner:
        await wire.ask(cleo)
        recovery_s = time.monotonic() - started
        missing = await lost(wire, reply, *expected)
        posted = await owner.messages(sandbox.reports_channel_id)
        is_told = any("was damaged" in embed["description"] for one in posted for embed in one["embeds"])
    is_kept = any(home.glob("fillbot.db.damaged-*"))  # noqa: ASYNC240  a moment
    wrong = int(is_told != is_kept) + int(examine(home / "fillbot.db").problem is not None)
    return Found(lost_votes=missing, wrong_answers=wrong, recovery_s=recovery_s)


@fault("database damaged", group="disk", times=60, is_of_files=True)
async def damaged(chance: random.Random, home: Path) -> Found:
    """The file is damaged between two starts."""
    async with Sandbox() as sandbox:
        async with voted(home, sandbox) as (_, ann, ben, reply):
            pass
        chance.choice(SPOILS)(chance, home / "fillbot.db")
        return await mended(home, sandbox, reply, (ann, 1), (ben, -1))


@fault("database damaged while it is open", group="disk", times=30, is_of_files=True)
async def damaged_while_open(chance: random.Random, home: Path) -> Found:
    """The bot meets the damage, says so and ends; its supervisor starts it anew."""
    wrong = 0
    async with Sandbox() as sandbox:
        async with voted(home, sandbox) as (wire, ann, ben, reply):
            over = asyncio.create_task(wire.app.until_lost())
            chance.choice((zeroed, scrambled))(chance, home / "fillbot.db")
            for number in range(3):
                if not over.done():
                    told = await wire.say(ben, f"!fill {number} Nike shoes are very [MASK]")
                    wrong += int(not told["embeds"] and "is damaged" not in told["content"])
            over.cancel()
            with contextlib.suppress(asyncio.CancelledError, StartError):
                await over
        found = await mended(home, sandbox, reply, (ann, 1), (ben, -1))
    return Found(found.lost_votes, 0, wrong + found.wrong_answers, found.recovery_s)


@fault("disk full while a version is written", group="disk", times=60)
async def full_while_writing(chance: random.Random, home: Path) -> Found:
    """There is room for some of it; the champion stays, and nothing half-written is a version."""
    registry = Registry(home / "models")
    sizes = sorted(path.stat().st_size for path in registry.path("v0002").iterdir())
    versions = registry.versions()
    is_said = True
    try:
        with largest_file(chance.choice((0, *sizes)) + chance.randint(0, 200)), registry.draft() as draft:
            for path in sorted(registry.path("v0002").iterdir()):
                (draft.folder / path.name).write_bytes(path.read_bytes())
            registry.commit(draft, card(draft.version, kind="night", champion="v0001", parent="v0001"))
            registry.promote(draft.version)
    except RegistryError as error:
        is_said = "Free some disk space" in str(error)
    champion = registry.champion()
    half = sum(1 for version in registry.versions() if not _is_whole(registry, version))
    half += int(bool(list(registry.folder.glob("*.partial")) or list(registry.folder.glob(".*"))))
    half += int(champion not in ("v0001", *(set(registry.versions()) - set(versions))))
    with registry.draft() as draft:  # there is room again
        for path in sorted(registry.path("v0002").iterdir()):
            (draft.folder / path.name).write_bytes(path.read_bytes())
        registry.commit(draft, card(draft.version, kind="night", champion="v0001", parent="v0001"))
    registry.promote(draft.version)
    half += int(not _is_whole(registry, draft.version))
    return Found(half_promoted=half, wrong_answers=int(not is_said))


def _is_whole(registry: Registry, version: str) -> bool:
    try:
        registry.verify(version)
    except RegistryError:
        return False
    return True


@fault("disk full while a backup is made", group="disk", times=30, is_of_files=True)
async def full_while_backing_up(chance: random.Random, home: Path) -> Found:
    """There is room for some of it: that is said, the backups before it stay, and the next one is made."""
    async with Sandbox() as sandbox, voted(home, sandbox):
        pass
    file, folder, wrong = home / "fillbot.db", home / "backups", 0
    before = daily(folder)
    try:
        with largest_file(chance.randrange(file.stat().st_size - PAGE)):
            back_up_today(file, folder, keep=1, today=datetime(2030, 1, 1, tzinfo=UTC).date())
        wrong += 1
    except BackupError as error:
        wrong += int("Free some disk space" not in str(error))
    wrong += int(daily(folder) != before or len(list(folder.iterdir())) != len(before))
    made = back_up_today(file, folder, keep=2, today=datetime(2030, 1, 1, tzinfo=UTC).date())
    return Found(wrong_answers=wrong + int(examine(made).problem is not None))
