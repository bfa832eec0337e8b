"""Where settings point to: a base model, shared versions, a cluster; written whole, or why it cannot be."""

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote

from storage.paths import expanded_folder, expanded_path

HUB_NAME = r"[A-Za-z0-9_][\w.-]{0,95}(?:/[A-Za-z0-9_][\w.-]{0,95})?"


def base_model(written: str) -> str:
    """A name on the hub as it is, a folder with `~` and variables filled in.

    Raises:
        ValueError: it can be neither.
    """
    if _is_name(written):
        return written
    return str(expanded_path(written)) if re.search(r"[~$%]|://", written) else written


def missing_base(base: str) -> str | None:
    """Why there is no such base, where that can be told without the hub."""
    folder = Path(base)
    if folder.is_dir() or (_is_name(base) and not folder.exists()):
        return None
    if folder.exists():
        return f"FILLBOT_BASE_MODEL: {folder} is a file; expected a folder, or a name on the hub"
    return f"FILLBOT_BASE_MODEL: there is no folder {folder}, and a model on the hub is named OWNER/NAME"


def _is_name(written: str) -> bool:
    return re.fullmatch(HUB_NAME, written, re.ASCII) is not None


def shared(written: str) -> str:
    """The URL of shared versions: a folder by its whole path, or a bucket.

    Raises:
        ValueError: it is neither, or a part of it would be ignored.
    """
    scheme, colon, rest = written.partition("://")
    if not colon and re.match(r"\w\w+:", written):
        raise ValueError("expected s3://bucket/folder, or the path of a folder")
    if not colon or scheme.lower() == "file":
        return str(expanded_folder(unquote(f"file://{rest}") if colon else written))
    if "@" in rest.partition("/")[0]:
        raise ValueError(
            "expected an address without a key; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY hold it"
        )
    if "?" in rest or "#" in rest or not rest.strip("/") or rest.startswith("/"):
        raise ValueError(f"expected {scheme.lower()}://bucket/folder, without ? or #")
    return f"{scheme.lower()}://{rest}"


def has_port(parts: SplitResult) -> bool:
    """Whether the port is one, or none is named."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
