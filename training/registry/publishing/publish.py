"""Publish a version as a folder that transformers can load, or as a repository on the hub.

Only the files named here leave the registry. The card with its paths, the plots and other files stay;
README.md is generated from the parts of the card that may be published.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.errors import PublishError
from training.hub import hub_is_reachable
from training.progress import Progress
from training.registry.publishing.model_card import model_card
from training.registry.versions import Registry

HUB = "hub:"
REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
FILES = ("config.json", "model.safetensors", "tokenizer.json", "model.onnx", "vocabulary.json")
TOKENIZER_CONFIG = "tokenizer_config.json"

Contents = Mapping[str, Path | bytes]  # name → the file to copy, or the bytes to write


@dataclass(frozen=True, slots=True)
class Published:
    """The published files, and where they are; `url` is None for a folder."""

    version: str
    target: str
    url: str | None
    files: tuple[str, ...]


def publish(
    registry: Registry, version: str, target: str, progress: Progress, *, is_public: bool = False
) -> Published:
    """Publish a version atomically, in a new or empty folder or at `hub:owner/name`.

    On the hub the token is huggingface_hub's own: HF_TOKEN, or a stored login.

    Raises:
        UnknownVersionError: There is no such version.
        CorruptVersionError: A file of it is missing or changed.
        PublishError: The target cannot be written.
    """
    registry.path(version)
    if target.startswith(HUB):
        token = _token(target)
        contents = _contents(registry, version, progress)
        url = _upload(contents, target, token, progress, is_public=is_public, message=f"fillbot {version}")
    else:
        if is_public:
            raise PublishError(target, f"--public is for the hub, as in {HUB}OWNER/NAME --public")
        folder = _new_folder(target, registry)
        contents, url = _contents(registry, version, progress), None
        _write(contents, folder, target, progress)
    return Published(version, target, url, tuple(sorted(contents)))


def _contents(registry: Registry, version: str, progress: Progress) -> Contents:
    """Verify a version, and return its files to publish."""
    progress.step(f"checking the files of {version}")
    registry.verify(version, only=(*FILES, TOKENIZER_CONFIG))
    folder = registry.path(version)
    return {
        **{name: folder / name for name in FILES},
        TOKENIZER_CONFIG: _tokenizer_config((folder / TOKENIZER_CONFIG).read_text(encoding="utf-8")),
        "README.md": model_card(registry.card(version)).encode(),
    }


def _tokenizer_config(config: str) -> bytes:
    """Make a tokenizer's configuration compatible with transformers 4, which has only the older class.

    transformers 4 would also pass token types to a DistilBERT, which rejects them.
    """
    older = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
    }
    return (json.dumps({**json.loads(config), **older}, indent=2) + "\n").encode()


def _new_folder(target: str, registry: Registry) -> Path:
    """Return the folder of a target, which must be new or empty.

    Raises:
        PublishError: It cannot be used.
    """
    folder = Path(target).expanduser().resolve()
    if folder.is_relative_to(registry.folder.resolve()):
        raise PublishError(target, "fillbot keeps its own versions there. Name a folder elsewhere")
    if folder == Path.cwd():
        raise PublishError(target, "that is the current folder. Name a new one inside it")
    if not folder.parent.is_dir():
        hint = f"; for the hub, write {HUB}{target}" if REPOSITORY.fullmatch(target) else ""
        raise PublishError(target, f"its parent folder does not exist. Create it first{hint}")
    if folder.exists() and not folder.is_dir():
        raise PublishError(target, "that is a file. Name a new folder")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise PublishError(target, "the folder is not empty. Name a new one")
    except OSError as error:
        raise PublishError(target, f"the folder cannot be read ({error.strerror})") from error
    return folder


def _write(contents: Contents, folder: Path, target: str, progress: Progress) -> None:
    """Fill a temporary folder and rename it, so that no partial model is visible."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    progress.step("copying", len(contents))
    try:
        partial.mkdir()
        for name, content in contents.items():
            if isinstance(content, bytes):
                (partial / name).write_bytes(content)
            else:
                shutil.copyfile(content, partial / name)
            progress.advance()
        partial.rename(folder)  # replaces an empty folder, too
    except OSError as error:
        reason = f"it cannot be written ({error.strerror or error}). Check the disk, or name another folder"
        raise PublishError(target, reason) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _token(target: str) -> str:
    """Return the token for the hub.

    Raises:
        PublishError: There is no token, or the target is not a repository.
    """
    from huggingface_hub import get_token

    if not REPOSITORY.fullmatch(target.removeprefix(HUB)):
        raise PublishError(target, f"that is not a repository. Write {HUB}OWNER/NAME")
    with _explained(target, token=None):
        token = get_token()
    if not token:
        raise PublishError(target, "there is no token. Set HF_TOKEN, or log in with `hf auth login`")
    return token


def _upload(
    contents: Contents, target: str, token: str, progress: Progress, *, is_public: bool, message: str
) -> str:
    """Create the repository if needed, and commit all files at once. Returns its URL.

    Raises:
        PublishError: The hub is unreachable or refuses, or the repository has another visibility.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    progress.step("contacting the hub")
    if not hub_is_reachable():
        reason = "the hub cannot be reached. Check the network, HF_ENDPOINT and HF_HUB_OFFLINE"
        raise PublishError(target, reason)
    hub, repository = HfApi(token=token), target.removeprefix(HUB)
    with _explained(target, token):
        url = hub.create_repo(repository, private=not is_public, exist_ok=True)
        was_private = hub.model_info(repository).private
    if was_private and is_public:
        raise PublishError(target, "the repository is private. Open it on the hub, or leave --public out")
    if not was_private and not is_public:
        raise PublishError(target, "the repository is public. Pass --public if everyone may see the model")
    progress.step(f"uploading to {url}")
    operations = [CommitOperationAdd(name, content) for name, content in contents.items()]
    with _explained(target, token):
        hub.create_commit(repository, operations, commit_message=message)
    return str(url)


@contextlib.contextmanager
def _explained(target: str, token: str | None) -> Iterator[None]:
    """Translate errors of the hub into PublishError, without the token."""
    import httpx
    from huggingface_hub.errors import OIDCError

    try:
        yield
    # Raised by requests, by uploads of large files and by the check of the model card.
    except (httpx.HTTPError, OIDCError, OSError, RuntimeError, ValueError) as error:
        reason = _reason(error)
        raise PublishError(target, reason.replace(token, "…") if token else reason) from None


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if isinstance(error, HFValidationError):
        return f"that is not the name of a repository. Write {HUB}OWNER/NAME"
    if not isinstance(error, HfHubHTTPError):
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return f"it could not be sent ({said}). Try again"
    status = error.response.status_code
    if status == 401:
        return "the hub rejected the token. Set HF_TOKEN to a valid one, or log in with `hf auth login`"
    if status in (403, 404):
        return "the token has no write access there. Use a token with write access to OWNER"
    said = " ".join((error.server_message or error.response.reason_phrase).split()).rstrip(".")
    return f"the hub answered {status} ({said}). Try again later"
