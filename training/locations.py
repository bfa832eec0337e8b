"""Validate the locations in settings: a base model, shared versions, a cluster."""

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote

from storage.files.paths import expanded_folder, expanded_path

HUB_NAME = r"[A-Za-z0-9_][\w.-]{0,95}(?:/[A-Za-z0-9_][\w.-]{0,95})?"


def base_model(written: str) -> str:
    """Return a name on the hub unchanged, or a folder with `~` and variables expanded.

    Raises:
        ValueError: it is neither.
    """
    if _is_name(written):
        return written
    return str(expanded_path(written)) if re.search(r"[~$%]|://", written) else written


def missing_base(base: str) -> str | None:
    """Why a base model is missing, if that is known without asking the hub."""
    folder = Path(base)
    if folder.is_dir():
        has_model = (folder / "config.json").is_file()
        return (
            None
            if has_model
            else f"FILLBOT_BASE_MODEL: there is no model in {folder}, as config.json is missing"
        )
    if _is_name(base) and not folder.exists():
        return None
    if folder.exists():
        return f"FILLBOT_BASE_MODEL: {folder} is a file; expected a folder, or a name on the hub"
    return f"FILLBOT_BASE_MODEL: there is no folder {folder}, and a model on the hub is named OWNER/NAME"


def _is_name(written: str) -> bool:
    return re.fullmatch(HUB_NAME, written, re.ASCII) is not None


def shared(written: str) -> str:
    """Return the URL of shared versions: an absolute folder, or a bucket.

    Raises:
        ValueError: it is neither, or a part of it would be ignored.
    """
    scheme, colon, rest = written.partition("://")
    if not colon and re.match(r"\w\w+:", written):
        raise ValueError("expected s3://bucket/folder, or the path of a folder")
    if not colon or scheme.lower() == "file":
        return str(expanded_folder(unquote(f"file://{rest}") if colon else written))
    if scheme.lower() in ("http", "https", "ftp"):
        raise ValueError(
            "expected s3://bucket/folder, or the path of a folder; AWS_ENDPOINT_URL names the storage"
        )
    if "@" in rest.partition("/")[0]:
        raise ValueError(
            "expected an address without a key; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY hold it"
        )
    parts = rest.strip("/").split("/")
    is_folder = "" not in parts and ".." not in parts and not rest.startswith("/")
    if not is_folder or re.search(r"[?#]", rest) or re.search(r"\s", parts[0]):
        raise ValueError(f"expected {scheme.lower()}://bucket/folder, without ? or #, .. or blanks")
    return f"{scheme.lower()}://{rest}"


def has_port(parts: SplitResult) -> bool:
    """Whether the port is valid or absent."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether a host is the loopback interface."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
