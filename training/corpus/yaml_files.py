"""Reads YAML files that people edit: patterns, word lists, behaviour tests."""

from pathlib import Path
from typing import Any

import yaml

from storage.files.text import read_text

# What PyYAML raises in addition to its own errors, for example for an invalid date or deep nesting.
NOT_READ_BY_YAML = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def read_yaml(path: Path) -> Any:
    """Parse a YAML file, in C if libyaml is available (about ten times as fast).

    Raises:
        OSError: The file cannot be opened.
        UnicodeDecodeError: The file is not text.
        YAMLError: The file is not YAML, or repeats a key; PyYAML alone would ignore all but one.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(read_text(path))
    try:
        node = loader.get_single_node()
        _refuse_repeated_keys(node, set())
        return None if node is None else loader.construct_document(node)
    except NOT_READ_BY_YAML as error:
        raise yaml.YAMLError(str(error)) from error
    finally:
        loader.dispose()


def _refuse_repeated_keys(node: yaml.Node | None, seen: set[int]) -> None:
    if id(node) in seen:  # an alias may refer to a node that contains it
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_keys(value, seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in lines:
                    first = lines[key.tag, key.value]
                    raise yaml.YAMLError(f"the key {key.value} is repeated, in lines {first} and {line}")
                lines[key.tag, key.value] = line
            _refuse_repeated_keys(value, seen)
