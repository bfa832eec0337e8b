"""Versions shared on S3."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cluster.postgres import Postgres
from cluster.s3 import s3_server
from support.shared_machines import Machine, machine, rows_of
from support.shared_stories import (
    begun,
    test_a_bucket_of_an_earlier_release_is_taken_over,  # noqa: F401  and the others: they run here, too
    test_a_copy_of_the_same_versions_joins,  # noqa: F401
    test_a_crash_at_any_call_leaves_no_half_version,  # noqa: F401
    test_a_database_of_others_is_refused_and_an_older_copy_brought_up_to_date,  # noqa: F401
    test_a_promotion_serves_on_the_other_machine,  # noqa: F401
    test_a_replica_follows_without_the_database,  # noqa: F401
    test_a_state_left_unpublished_by_a_crash_is_published_by_the_next_pull,  # noqa: F401
    test_a_version_number_is_given_once,  # noqa: F401
    test_a_withdrawn_version_is_withdrawn_everywhere,  # noqa: F401
    test_an_emptied_storage_is_not_followed,  # noqa: F401
    test_local_versions_are_uploaded_by_the_first_machine,  # noqa: F401
    test_of_two_promotions_from_the_same_champion_one_wins,  # noqa: F401
    test_processes_that_promote_at_once_win_one_after_the_other,  # noqa: F401
    test_pruning_keeps_what_serves_and_deletes_on_both_sides,  # noqa: F401
    test_weights_are_fetched_on_demand,  # noqa: F401
    write_whole,
)
from support.versions import card

from training.distributed.shared_versions.object_storage import ObjectStorage
from training.distributed.shared_versions.registry import SharedRegistry
from training.registry.errors import SharedStorageUnreachableError
from training.registry.versions import SERVED_FILES

ONE_CHAMPION_S = 10.0  # within so much everybody serves the new one
FOLLOWER = """
import asyncio, sys, time
sys.path[:0] = [{root!r}]
from pathlib import Path
from bot.answering.predictor import Predictor
from bot.answering.champion_follower import BotChampionFollower, load_champion
from training.registry.factory import current_registry
from training.settings import Settings

async def main():
    registry = await asyncio.to_thread(current_registry, Settings(
        home=Path(sys.argv[1]), models_url={url!r}, database_url={database_url!r}
    ))
    model, trouble = await load_champion(registry)
    predictor = Predictor(model)
    follower = BotChampionFollower(registry, predictor, trouble=trouble)
    watching = asyncio.create_task(follower.watch())
    last = None
    while last != sys.argv[2]:
        if predictor.version != last:
            last = predictor.version
            print("serving", last, time.time(), flush=True)
        await asyncio.sleep(0.01)  # polled, in a process of its own
    watching.cancel()
    await predictor.close()

asyncio.run(main())
"""


@pytest.fixture
def machine_of(tmp_path: Path, models_url: str, database_url: str) -> Machine:
    return lambda name: machine(tmp_path / name, models_url, database_url)


@pytest.fixture
def crash_step() -> int:
    return 17  # each call takes a while


def test_every_bot_serves_a_new_champion_within_ten_seconds(
    machine_of: Machine, models_url: str, database_url: str, tmp_path: Path, models_folder: Path
) -> None:
    """Four bots with a cache each; the versions of `models_folder` are brought along by the first machine."""
    here = machine_of("here")
    shutil.copytree(models_folder, here.folder)
    here.pull()
    root = Path(__file__).parents[2]
    code = FOLLOWER.format(root=str(root), url=models_url, database_url=database_url)
    bots = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / f"bot{number}"), "v0002"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for number in range(4)
    ]
    with contextlib.ExitStack() as stack:
        for bot in bots:
            stack.enter_context(bot)
            stack.callback(bot.kill)
        took = _followed(here, bots)
    sys.stdout.write(f"served after {sorted(round(one, 2) for one in took)} s\n")
    assert max(took) < ONE_CHAMPION_S


def _followed(here: SharedRegistry, bots: list["subprocess.Popen[str]"]) -> list[float]:
    """Promote v0002; the seconds until each bot serves it."""
    for bot in bots:
        assert bot.stdout is not None
        assert bot.stdout.readline().startswith("serving v0001 ")
    promoted_at = time.time()
    here.promote("v0002")
    took = []
    for bot in bots:
        out, _ = bot.communicate(timeout=60)
        assert bot.returncode == 0
        (at,) = re.findall(r"serving v0002 ([0-9.]+)", out)
        took.append(float(at) - promoted_at)
    return took


def test_large_files_arrive_whole(machine_of: Machine) -> None:
    here, there = machine_of("here"), machine_of("there")
    with here.draft() as draft:
        for name in SERVED_FILES:
            (draft.folder / name).write_bytes(os.urandom(40_000_000 if name == "model.onnx" else 100))
        here.commit(draft, card(draft.version))
    here.promote(draft.version)
    there.pull()
    there.verify(draft.version)


def test_cached_versions_serve_while_the_storage_is_unreachable(tmp_path: Path, database_url: str) -> None:
    before = dict(os.environ)
    with s3_server() as server:
        environment = server.environment
        url = server.new_bucket()
        here = machine(tmp_path / "here", url, database_url)
        begun(here, 2)
    try:
        os.environ.update(environment)
        with pytest.raises(SharedStorageUnreachableError, match="Check FILLBOT_MODELS_URL"):
            here.pull()
        assert here.trouble is not None
        with pytest.raises(SharedStorageUnreachableError, match="Nothing was changed here"):
            here.promote("v0001")
        with pytest.raises(SharedStorageUnreachableError):
            write_whole(here)
        here.verify(here.champion() or "", only=SERVED_FILES)
        assert (here.champion(), here.versions()) == ("v0002", ["v0001", "v0002"])
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_the_probe_fails_without_a_bucket(models_url: str) -> None:
    ObjectStorage(models_url).probe()
    with pytest.raises(SharedStorageUnreachableError, match="there is no such bucket"):
        ObjectStorage(f"{models_url}-not-there").probe()


def test_while_the_database_restarts_a_promotion_waits(
    machine_of: Machine, database_url: str, postgres: Postgres
) -> None:
    here = machine_of("here")
    begun(here, 2)
    postgres.stop()  # not a crash: this server does not keep what it confirmed last
    with ThreadPoolExecutor(1) as thread:
        promotion = thread.submit(here.promote, "v0001")
        postgres.start()
        promotion.result(timeout=60)
    assert here.champion() == "v0001"
    assert rows_of(database_url)["v0001"].is_champion
