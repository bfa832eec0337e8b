"""Paths in settings."""

import os
import re
from pathlib import Path

VARIABLE = re.compile(r"\$\w+|\$\{\w+\}|%\w+%")


def expanded_path(written: str) -> Path:
    """Expand `~` and variables such as `$HOME`.

    Raises:
        ValueError: A variable or user is unknown, or the text is a URL or a path of another system.
    """
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", written) and not written.startswith("file:///"):
        raise ValueError("expected a path on this machine, not a URL")
    if os.name != "nt" and re.match(r"[a-zA-Z]:[\\/]|\\\\", written):
        raise ValueError("that is a Windows path; expected one on this machine, such as /data/fillbot")
    path = os.path.expandvars(written.removeprefix("file://"))
    if found := VARIABLE.search(path):
        raise ValueError(f"the variable {found[0]} is not set")
    if path.startswith("~"):
        try:
            return Path(path).expanduser()
        except RuntimeError as error:
            raise ValueError("the user after ~ does not exist") from error
    return Path(path)


def expanded_folder(written: str) -> Path:
    """Expand the path of a folder, which need not exist.

    Raises:
        ValueError: As `expanded_path`, or a file is in the way.
    """
    folder = expanded_path(written)
    taken = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
    if taken is not None:
        raise ValueError(f"the folder cannot be written: {taken} is a file")
    return folder
