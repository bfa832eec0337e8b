"""Holds every request of a bot and every answer of a sandbox in this process against Discord's description.

What breaks it, and is not in `allowed.yaml`, fails the test that was running. The requests of tests marked
``nonsense`` are left out, the answers to them are not; those of tests marked ``spoilt_answers`` are, which
make the sandbox answer wrongly. Without the description nothing is recorded.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import pytest
from contract.checking import Checker, Violation, read_allowed
from contract.recorder import Recorder
from contract.spec import SPEC_FILE, SpecFile

from bot.sandbox.gateway.server import Gateway
from bot.sandbox.server import Sandbox
from bot.sandbox.world.state import Event

MAX_SHOWN = 20


class Contract:
    """The recorder of this process, and what it has found."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.seen: Counter[str] = Counter()

    @cached_property
    def checker(self) -> Checker:
        """The description, read when something is first checked."""
        return Checker(SpecFile().spec, read_allowed())

    def check(self, *, is_nonsense: bool, is_spoilt: bool = False) -> list[Violation]:
        """Return the violations since the last time."""
        found: list[Violation] = []
        for name, body in self.recorder.take_events():
            self.seen["events"] += 1
            found += self.checker.event_violations(name, body)
        for exchange in self.recorder.take():
            self.seen["requests"] += exchange.is_by_bot and not is_nonsense
            self.seen["responses"] += 1
            if not is_spoilt:
                found += self.checker.violations(exchange, is_request_checked=not is_nonsense)
        self.seen["violations"] += len(found)
        return found

    def counts(self) -> dict[str, int]:
        """Return what was seen, and how often each exception was made use of."""
        used = self.checker.used if self.seen else Counter()
        return {**self.seen, **{f"allowed: {one.reason}": count for one, count in used.items()}}


CONTRACT = pytest.StashKey[Contract]()
TOTAL = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOTAL] = Counter()
    if SPEC_FILE.is_file():
        config.stash[CONTRACT] = Contract()
        recorder = config.stash[CONTRACT].recorder
        Sandbox.middlewares = (recorder.middleware(), *Sandbox.middlewares)
        _note_events(recorder)


def _note_events(recorder: Recorder) -> None:
    """Note what the sandbox tells the bot; what tests make it say (`faults.send_event`) passes by."""
    dispatch = Gateway.dispatch

    def note_and_dispatch(gateway: Gateway, events: Iterable[Event]) -> None:
        told = list(events)
        recorder.note_events(one for one in told if Sandbox.bot_user_id in one.audience)
        dispatch(gateway, told)

    Gateway.dispatch = note_and_dispatch  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Check what came during the test, its fixtures' ends included: the bot of a module ends here, too."""
    result = yield
    contract = item.config.stash.get(CONTRACT, None)
    if contract is not None:
        found = contract.check(
            is_nonsense=item.get_closest_marker("nonsense") is not None,
            is_spoilt=item.get_closest_marker("spoilt_answers") is not None,
        )
        if found:
            pytest.fail(told(found), pytrace=False)
    return result


def told(found: list[Violation]) -> str:
    """Say what breaks Discord's description, each thing once."""
    lines = list(dict.fromkeys(map(str, found)))
    more = f"\n… and {len(lines) - MAX_SHOWN} more" if len(lines) > MAX_SHOWN else ""
    hint = "\nA test that sends such requests on purpose is marked `nonsense`."
    return "Discord would not have this:\n" + "\n".join(lines[:MAX_SHOWN]) + more + hint


def pytest_sessionfinish(session: pytest.Session) -> None:
    contract = session.config.stash.get(CONTRACT, None)
    if contract is None:
        return
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is None:
        session.config.stash[TOTAL].update(contract.counts())
    else:
        output["contract"] = contract.counts()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up what the worker processes of pytest-xdist saw."""
    node.config.stash[TOTAL].update(getattr(node, "workeroutput", {}).get("contract", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if CONTRACT not in config.stash:
        terminalreporter.write_line(f"contract: not checked, there is no {SPEC_FILE}")
        return
    total = config.stash[TOTAL]
    if not total["responses"]:
        return
    terminalreporter.write_line(
        f"contract: {total['requests']} requests of the bot, {total['responses']} responses and "
        f"{total['events']} events of the sandbox held against Discord's API description, "
        f"{total['violations']} violations"
    )
    if config.get_verbosity() > 0:
        for name, count in sorted(total.items()):
            if name.startswith("allowed: "):
                terminalreporter.write_line(f"  {count} × {name}")
