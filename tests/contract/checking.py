"""What of one request and its answer breaks Discord's description or documentation, and what of it may."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from contract.events import event_problems
from contract.rules import broken_rules
from contract.spec import Json, Operation, Problem, Spec

ALLOWED_FILE = Path(__file__).with_name("allowed.yaml")
MISSHAPEN = {"type", "oneOf", "anyOf"}  # where the further rules could not read the body
BOOLEANS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it came and the answer as it went, bodies parsed; None stands for no JSON body."""

    method: str
    path: str  # below /api/v10
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    files: Mapping[str, str] = field(default_factory=dict)  # file names by multipart field
    status: int = 200
    answer: Any = None
    is_by_bot: bool = True


@dataclass(frozen=True, slots=True)
class Violation:
    """A problem that is a request's (``side`` is `request`), an answer's (`response 200`) or an `event`'s."""

    method: str
    route: str
    side: str
    problem: Problem

    def __str__(self) -> str:
        found = self.problem
        return f"{self.method} {self.route} {self.side} at {found.where or '/'}: {found.rule}: {found.text}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """An exception, with its reason; the rest are patterns."""

    route: str
    side: str
    where: str
    rule: str
    reason: str
    text: str = "*"

    def covers(self, violation: Violation) -> bool:
        found = violation.problem
        pairs = (
            (f"{violation.method} {violation.route}", self.route),
            (violation.side, self.side),
            (found.where, self.where),
            (found.rule, self.rule),
            (found.text, self.text),
        )
        return all(fnmatchcase(text, pattern) for text, pattern in pairs)


def read_allowed(path: Path = ALLOWED_FILE) -> list[Allowed]:
    return [Allowed(**one) for one in yaml.safe_load(path.read_text(encoding="utf-8")) or []]


class Checker:
    """Checks exchanges; `used` counts what the exceptions have covered."""

    def __init__(self, spec: Spec, allowed: list[Allowed]) -> None:
        self._spec, self._allowed = spec, allowed
        self.used: Counter[Allowed] = Counter()

    def violations(self, exchange: Exchange, *, is_request_checked: bool = True) -> list[Violation]:
        """Return what breaks the rules and is not allowed."""
        return [
            one
            for one in self._all_violations(exchange, is_request_checked=is_request_checked)
            if not self._is_allowed(one)
        ]

    def event_violations(self, name: str, body: Json) -> list[Violation]:
        """Return what of a gateway event breaks the rules and is not allowed."""
        found = (Violation("GATEWAY", name, "event", one) for one in event_problems(self._spec, name, body))
        return [one for one in found if not self._is_allowed(one)]

    def _is_allowed(self, violation: Violation) -> bool:
        for one in self._allowed:
            if one.covers(violation):
                self.used[one] += 1
                return True
        return False

    def _all_violations(self, exchange: Exchange, *, is_request_checked: bool) -> Iterator[Violation]:
        found = self._spec.find(exchange.method, exchange.path)
        if found is None:
            if is_request_checked and exchange.is_by_bot:
                yield Violation(
                    exchange.method,
                    exchange.path,
                    "request",
                    Problem("", "unknown-route", "Discord describes no such route"),
                )
            return
        operation, path = found
        if is_request_checked and exchange.is_by_bot:
            for problem in self._request_problems(exchange, operation, path):
                yield Violation(operation.method, operation.route, "request", problem)
        for problem in self._answer_problems(exchange, operation):
            yield Violation(operation.method, operation.route, f"response {exchange.status}", problem)

    def _request_problems(
        self, exchange: Exchange, operation: Operation, path: Mapping[str, str]
    ) -> Iterator[Problem]:
        for name, text in path.items():
            for problem in self._spec.problems(text, operation.parameters["path", name]["schema"]):
                yield Problem(f"/{name}", problem.rule, problem.text)
        for name, text in exchange.query:
            parameter = operation.parameters.get(("query", name))
            if parameter is None:
                yield Problem(f"/?{name}", "unknown", f"{text!r:.100}")
            else:
                yield from self._query_problems(f"/?{name}", text, parameter["schema"])
        found = list(self._body_problems(exchange, operation))
        yield from found
        if not {one.rule for one in found} & MISSHAPEN:
            yield from broken_rules(
                operation.method, operation.route, exchange.body, exchange.files, path=path
            )

    def _body_problems(self, exchange: Exchange, operation: Operation) -> Iterator[Problem]:
        if operation.body_schema is None:
            if exchange.body is not None:
                yield Problem("", "unknown", "Discord takes no body here")
        elif exchange.body is not None or operation.needs_body:
            yield from self._spec.problems(exchange.body, operation.body_schema)
        if exchange.files and not operation.takes_files:
            yield Problem("", "unknown", "Discord takes no files here")

    def _query_problems(self, where: str, text: str, schema: Json) -> Iterator[Problem]:
        """Yield what does not fit in any reading of the text: as text, number or boolean."""
        readings: list[Any] = [text]
        if text.isascii() and text.isdigit():
            readings.append(int(text))
        if text in BOOLEANS:
            readings.append(BOOLEANS[text])
        found = [list(self._spec.problems(one, schema)) for one in readings]
        if all(found):
            yield from (Problem(where, one.rule, one.text) for one in found[-1])

    def _answer_problems(self, exchange: Exchange, operation: Operation) -> Iterator[Problem]:
        if exchange.status >= 500:  # trouble on the way has any shape
            return
        schema = self._spec.response_schema(operation, exchange.status)
        if schema is None:
            yield Problem("", "status", f"{exchange.status} is no answer of this route")
        elif not schema:
            if exchange.answer is not None:
                yield Problem("", "unknown", "Discord's answer has no body here")
        else:
            yield from self._spec.problems(exchange.answer, schema)
