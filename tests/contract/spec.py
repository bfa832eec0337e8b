"""Discord's published API description: which operation a request means, and the schemas of its bodies.

The file is data of Discord's and not part of this project; what needs it is left out where it is absent.
Its objects are read as closed: a field that the description does not know is an error, since a
misspelled one would otherwise pass.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

PROJECT = Path(__file__).parents[2]
SPEC_FILE = PROJECT.parent / "shared" / "data" / "discord" / "openapi.json"
JSON = "application/json"
REF = "#/components/schemas/"
METHODS = ("get", "put", "post", "patch", "delete")
MAX_REMEMBERED_CHARS = 1000
Json = dict[str, Any]

formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@formats.checks("uri", raises=ValueError)
def is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@formats.checks("int32")
def is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(1 << 31) <= value < 1 << 31


@formats.checks("int64")
def is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(1 << 63) <= value < 1 << 63


@formats.checks("double")
def is_finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


@formats.checks("snowflake", raises=ValueError)
def is_snowflake(value: object) -> bool:
    return not isinstance(value, str) or int(value) < 1 << 64


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not fit: where in the body (``/embeds/0/title``), which rule it breaks, and in words."""

    where: str
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route; `route` has the path's names in braces."""

    method: str
    route: str
    described: Json = field(repr=False)
    parameters: Mapping[tuple[str, str], Json] = field(repr=False)  # by (in, name)

    @property
    def body_schema(self) -> Json | None:
        """The schema of the request's JSON, which is also that of ``payload_json``."""
        content = self.described.get("requestBody", {}).get("content", {})
        schema: Json | None = content.get(JSON, {}).get("schema")
        return schema

    @property
    def needs_body(self) -> bool:
        return bool(self.described.get("requestBody", {}).get("required"))

    @property
    def takes_files(self) -> bool:
        return "multipart/form-data" in self.described.get("requestBody", {}).get("content", {})


class Spec:
    """The description, indexed once; what a body breaks is found without changing anything."""

    def __init__(self, document: Json) -> None:
        self.schemas: Json = document["components"]["schemas"]
        self._responses: Json = document["components"]["responses"]
        inside_all_of = {
            part["$ref"].removeprefix(REF)
            for schema in self.schemas.values()
            for part in schema.get("allOf", ())
            if "$ref" in part
        }
        for name, schema in self.schemas.items():
            if name not in inside_all_of:
                _close(schema)
        self._routes = [
            (_pattern(route), route, _operations(route, described))
            for route, described in sorted(document["paths"].items(), key=lambda item: item[0].count("{"))
        ]
        self._passed: set[tuple[str, str]] = set()
        self._check = extend(
            Draft202012Validator,
            {"$ref": self._check_reference, "oneOf": self._check_choice, "anyOf": self._check_choice},
        )

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return what a request means and the path's values, or None where Discord describes no such one."""
        for pattern, _, operations in self._routes:
            found = pattern.fullmatch(path)
            if found and method in operations:
                return operations[method], found.groupdict()
        return None

    def response_schema(self, operation: Operation, status: int) -> Json | None:
        """Return the schema of an answer, `{}` where it has no body, None where the status is undescribed."""
        responses = operation.described["responses"]
        response = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if response is None:
            return None
        if "$ref" in response:
            response = self._responses[response["$ref"].rpartition("/")[2]]
        schema: Json = response.get("content", {}).get(JSON, {}).get("schema", {})
        return schema

    def problems(self, value: Any, schema: Json) -> Iterator[Problem]:
        """Yield what does not fit a schema, at the innermost place."""
        validator = self._check(schema, format_checker=formats)
        for error in validator.iter_errors(value):
            where = "".join(f"/{part}" for part in error.absolute_path)
            if error.validator == "additionalProperties" and error.schema.get("properties"):
                for name in error.instance.keys() - error.schema["properties"].keys():
                    yield Problem(f"{where}/{name}", "unknown", f"{error.instance[name]!r:.100}")
            else:
                yield Problem(where, _rule(error), error.message[:200])

    def component(self, name: str) -> Json:
        """Return a reference to a schema by its name."""
        return {"$ref": REF + name}

    def _check_reference(
        self, validator: Draft202012Validator, ref: str, value: Any, _: Json
    ) -> Iterator[ValidationError]:
        """Follow a reference; what has passed once (a user, an option) passes at once again."""
        key = (ref, repr(value))
        if key not in self._passed:
            errors = list(validator.descend(value, self.schemas[ref.removeprefix(REF)]))
            yield from errors
            if not errors and len(key[1]) < MAX_REMEMBERED_CHARS:
                self._passed.add(key)

    def _check_choice(
        self, validator: Draft202012Validator, branches: list[Json], value: Any, _: Json
    ) -> Iterator[ValidationError]:
        """Accept what fits any branch: many overlap. Else tell the errors of the branch that was meant."""
        likely = [one for one in branches if self._may_be_meant(one, value)]
        best: list[ValidationError] | None = None
        for branch in likely:
            errors = list(validator.descend(value, branch))
            if not errors:
                return
            if best is None or _distance(errors) < _distance(best):
                best = errors
        if best is None:
            yield ValidationError(f"{value!r:.100} is none of the {len(branches)} kinds that may be here")
        else:
            yield from best

    def _may_be_meant(self, branch: Json, value: Any) -> bool:
        """Whether the value's kind is the branch's: its constant, its JSON type, its ``type`` field."""
        while "$ref" in branch:
            branch = self.schemas[branch["$ref"].removeprefix(REF)]
        if "const" in branch:
            return bool(branch["const"] == value)
        kinds = branch.get("type")
        if kinds == "null":
            return value is None
        if value is None:
            return "null" in kinds if isinstance(kinds, list) else kinds is None
        if not isinstance(value, dict) or "properties" not in branch:
            return True
        kind = branch["properties"].get("type", {})
        return "type" not in value or "enum" not in kind or value["type"] in kind["enum"]


class SpecFile:
    """The description's file, read when it is first needed."""

    def __init__(self, path: Path = SPEC_FILE) -> None:
        self.path = path

    @property
    def is_there(self) -> bool:
        return self.path.is_file()

    @cached_property
    def spec(self) -> Spec:
        return Spec(json.loads(self.path.read_text(encoding="utf-8")))


def _distance(errors: list[ValidationError]) -> tuple[int, int]:
    """Return how far a body is from what it was to be: few errors, deep down, are near."""
    return len(errors), -max(len(error.absolute_path) for error in errors)


def _close(schema: Any) -> None:
    """Let every object refuse fields that are not described."""
    if isinstance(schema, list):
        for one in schema:
            _close(one)
    elif isinstance(schema, dict):
        for key, one in schema.items():
            if key != "allOf":  # its parts describe one object together
                _close(one)
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            schema.setdefault("additionalProperties", False)


def _pattern(route: str) -> re.Pattern[str]:
    parts = re.split(r"{(\w+)}", route)
    return re.compile(
        "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    )


def _operations(route: str, described: Json) -> dict[str, Operation]:
    shared = described.get("parameters", [])
    return {
        method.upper(): Operation(
            method.upper(),
            route,
            described[method],
            {(one["in"], one["name"]): one for one in [*shared, *described[method].get("parameters", [])]},
        )
        for method in METHODS
        if method in described
    }


def _rule(error: ValidationError) -> str:
    """Return the broken keyword; a snowflake sent as a number has a name of its own."""
    schema = error.schema
    if error.validator == "type" and isinstance(schema, dict) and schema.get("format") == "snowflake":
        is_number = isinstance(error.instance, int) and not isinstance(error.instance, bool)
        return "snowflake-as-number" if is_number else "type"
    return str(error.validator)
