"""YAML files that people edit: patterns, word lists, behaviour tests."""

from pathlib import Path
from typing import Any

import yaml

from storage.text_files import read_text

# What PyYAML raises, beside its own errors, for a date that is none, say, or brackets without end.
NOT_READ_BY_YAML = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def read_yaml(path: Path) -> Any:
    """Parse one of the data files, in C where libyaml is present (about ten times as fast).

    Raises:
        OSError: it cannot be opened.
        UnicodeDecodeError: it is no text.
        YAMLError: it is no YAML, or has a key twice, of which one would be ignored.
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
    if id(node) in seen:  # an alias may lead back to where it stands
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
                    raise yaml.YAMLError(f"{key.value} stands there twice, in lines {first} and {line}")
                lines[key.tag, key.value] = line
            _refuse_repeated_keys(value, seen)
