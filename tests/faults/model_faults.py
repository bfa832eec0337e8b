"""Trouble with the folders of model versions and their pointers."""

import asyncio
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from faults.hosted import hosted
from faults.trials import Found, fault
from support.wire import Wire

from bot.errors import StartError
from bot.sandbox.server import Sandbox
from training.errors import RegistryError
from training.registry.versions import SERVED_FILES, Registry

Damage = Callable[[random.Random, Path], None]


def torn(chance: random.Random, path: Path) -> None:
    """Only its beginning is there."""
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def flipped(chance: random.Random, path: Path) -> None:
    """One bit is another."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def emptied(_chance: random.Random, path: Path) -> None:
    """It has no content."""
    path.write_bytes(b"")


def removed(_chance: random.Random, path: Path) -> None:
    """It is gone."""
    path.unlink()


def swapped(_chance: random.Random, path: Path) -> None:
    """It is that of another version."""
    shutil.copy(path.parents[1] / "v0003" / path.name, path)


DAMAGES: tuple[Damage, ...] = (torn, flipped, emptied, removed, swapped)
POINTERS = (
    "",
    "v0",
    "rubbish",
    "v0099",
    "v0002.partial",
    "\x00\x00\x00\x00\x00\x00",
    "v0001v0002",
    "../v0003",
)


def whole(registry: Registry, version: str) -> bool:
    """Whether what serves of a version is what was written; a card of another version vouches for nothing."""
    try:
        registry.verify(version, only=SERVED_FILES)
        return registry.card(version).version == version
    except RegistryError:
        return False


async def answers(wire: Wire, *, may_be: tuple[str, ...]) -> tuple[int, float]:
    """Ask. Returns how many wrong answers that was, and how long it took."""
    started = time.monotonic()
    async with wire.member() as ann:
        row = await wire.row(await wire.ask(ann))
    return int(row["model_version"] not in may_be), time.monotonic() - started


@fault("version damaged at the start", group="disk", times=60)
async def damaged_at_start(chance: random.Random, home: Path) -> Found:
    """Any file of the champion is torn, flipped, empty, gone or another's; the one before it answers."""
    registry = Registry(home / "models")
    registry.promote("v0002")
    file = chance.choice(sorted(path.name for path in registry.path("v0002").iterdir()))
    before = (registry.path("v0002") / file).read_bytes()
    chance.choice(DAMAGES)(chance, registry.path("v0002") / file)
    path = registry.path("v0002") / file
    is_changed = not path.is_file() or path.read_bytes() != before
    is_whole = whole(registry, "v0002")
    started = time.monotonic()
    async with Sandbox() as sandbox, hosted(home, sandbox) as wire:
        serves = wire.app.follower.predictor.version
        is_said = wire.app.follower.trouble is not None
        wrong, _ = await answers(wire, may_be=(serves,))
        recovery_s = time.monotonic() - started
    is_wrong_file = file in (*SERVED_FILES, "card.json") and is_changed and is_whole
    half = int(serves != ("v0002" if is_whole else "v0001")) + int(is_wrong_file and file != "card.json")
    return Found(half_promoted=half, wrong_answers=wrong + int(is_said == is_whole), recovery_s=recovery_s)


@fault("version damaged before its reload", group="disk", times=60)
async def damaged_at_reload(chance: random.Random, home: Path) -> Found:
    """The next champion is damaged while another serves, which goes on; a whole one after it takes over."""
    registry = Registry(home / "models")
    file = chance.choice((*SERVED_FILES, "card.json"))
    chance.choice((torn, emptied, removed, swapped))(chance, registry.path("v0002") / file)
    is_whole = whole(registry, "v0002")
    async with Sandbox() as sandbox, hosted(home, sandbox) as wire:
        registry.promote("v0002")
        ended_at = time.monotonic()
        await wire.app.follower.follow_champion()
        due = "v0002" if is_whole else "v0001"
        wrong, _ = await answers(wire, may_be=(due,))
        recovery_s = time.monotonic() - ended_at
        half = int(wire.app.follower.predictor.version != due)
        wrong += int((wire.app.follower.trouble is None) != is_whole)
    return Found(half_promoted=half, wrong_answers=wrong, recovery_s=recovery_s)


@fault("version damaged while it serves", group="disk", times=20)
async def damaged_while_serving(chance: random.Random, home: Path) -> Found:
    """Files go bad under a model that is loaded: it goes on answering, and a start finds out."""
    registry = Registry(home / "models")
    registry.promote("v0002")
    async with Sandbox() as sandbox:
        async with hosted(home, sandbox) as wire:
            chance.choice((torn, emptied, removed))(
                chance, registry.path("v0002") / chance.choice(SERVED_FILES)
            )
            wrong, _ = await answers(wire, may_be=("v0002",))
        ended_at = time.monotonic()
        async with hosted(home, sandbox) as wire:
            again, _ = await answers(wire, may_be=("v0001",))
    return Found(wrong_answers=wrong + again, recovery_s=time.monotonic() - ended_at)


@fault("version folders swapped", group="disk", times=20)
async def folders_swapped(chance: random.Random, home: Path) -> Found:
    """The champion's folder holds another version, which the gate refused."""
    registry = Registry(home / "models")
    registry.promote("v0002")
    first, other = registry.path("v0002"), registry.path("v0003")
    aside = home / "aside"
    first.rename(aside)
    other.rename(first)
    if chance.random() < 0.5:
        aside.rename(other)
    started = time.monotonic()
    async with Sandbox() as sandbox, hosted(home, sandbox) as wire:
        wrong, _ = await answers(wire, may_be=("v0001",))
        is_said = wire.app.follower.trouble is not None
    return Found(wrong_answers=wrong + int(not is_said), recovery_s=time.monotonic() - started)


@fault("champion pointer damaged", group="disk", times=30)
async def pointer_damaged(chance: random.Random, home: Path) -> Found:
    """The pointer is torn, empty, rubbish or gone: at the start the last champion is found again."""
    registry = Registry(home / "models")
    content = chance.choice((*POINTERS, None))
    async with Sandbox() as sandbox:
        async with hosted(home, sandbox) as wire, wire.person("owner") as owner:
            await wire.say(owner, "!rollback v0002")
            assert registry.champion() == "v0002"
            if content is None:
                (registry.folder / "champion").unlink()
            else:
                (registry.folder / "champion").write_bytes(content.encode())
            await wire.app.follower.follow_champion(again=True)
            wrong, _ = await answers(wire, may_be=("v0002",))
        ended_at = time.monotonic()
        async with hosted(home, sandbox) as wire:
            again, _ = await answers(wire, may_be=("v0002",))
            recovery_s = time.monotonic() - ended_at
            half = int(registry.versions() != ["v0001", "v0002", "v0003"])
    return Found(half_promoted=half, wrong_answers=wrong + again, recovery_s=recovery_s)


@fault("no version is whole", group="disk", times=10)
async def none_whole(chance: random.Random, home: Path) -> Found:
    """Nothing wrong is served: the start ends in a sentence, and what is put back serves again."""
    registry, kept = Registry(home / "models"), home / "kept"
    await asyncio.to_thread(shutil.copytree, registry.folder, kept)
    for version in registry.versions():
        torn(chance, registry.path(version) / "model.onnx")
    wrong = 1
    async with Sandbox() as sandbox:
        try:
            async with hosted(home, sandbox):
                pass
        except StartError as error:
            wrong = int("Restore" not in str(error))
        await asyncio.to_thread(shutil.rmtree, registry.folder)
        kept.rename(registry.folder)
        ended_at = time.monotonic()
        async with hosted(home, sandbox) as wire:
            again, _ = await answers(wire, may_be=("v0001",))
    return Found(wrong_answers=wrong + again, recovery_s=time.monotonic() - ended_at)
