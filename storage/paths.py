"""Paths as people write them in settings."""

import os
import re
from pathlib import Path

VARIABLE = re.compile(r"\$\w+|\$\{\w+\}|%\w+%")


def expanded_path(written: str) -> Path:
    """The path with `~` and variables such as `$HOME` filled in.

    Raises:
        ValueError: a part of it cannot be filled in, or it is an address.
    """
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", written) and not written.startswith("file:///"):
        raise ValueError("expected the path of a folder or file on this machine, not an address")
    path = os.path.expandvars(written.removeprefix("file://"))
    if found := VARIABLE.search(path):
        raise ValueError(f"there is a variable in it that is not set ({found[0]})")
    whole = Path(path)
    if path.startswith("~"):
        try:
            whole = whole.expanduser()
        except RuntimeError as error:
            raise ValueError("there is no such user as the one after ~") from error
    return whole


def expanded_folder(written: str) -> Path:
    """The same, of a folder that may still have to be made.

    Raises:
        ValueError: something else has that name.
    """
    folder = expanded_path(written)
    taken = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
    if taken is not None:
        raise ValueError(f"{taken} is a file, so no folder of that name can be; the folder cannot be written")
    return folder
