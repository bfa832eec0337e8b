"""Errors of the training package.

TrainingError
├── BaseModelError            the base model cannot be had or is of another kind
├── RegistryError
│   ├── UnknownVersionError   no such version in the registry
│   ├── CorruptVersionError   a version whose files are not what its card says
│   ├── NoChampionError       nothing serves yet
│   ├── NoEarlierVersionError nothing to roll back to
│   ├── WithdrawnVersionError learnt from votes that are forgotten
│   ├── RegistryUnwritableError the models folder cannot be written
│   ├── RegistryUnreadableError the models folder cannot be read at present
│   └── …                     of versions that machines share: shared_errors.py
├── ExtraMissingError         a setting asks for a package that is not installed
├── RunInProgressError        another run holds the lock
├── DuplicateRunError           another machine had this run
├── RunCancelledError             somebody ended the run from outside
├── DeviceError               a GPU was asked for and there is none
├── OutOfMemoryError          not enough memory, even in the smallest pieces
├── QueryTooLongError         more word pieces than the model can read
├── SuiteError                a suite or text file that cannot be read
├── BehaviourError            a file of behaviour tests that cannot be read
├── NotPlottableError         what a plot should show is not there, or is too much
├── PlotUnwritableError       a plot's file cannot be written
├── NotComparableError        what was named cannot be compared
├── UnknownLossError          no loss of that name to simulate
└── HomeInUseError            a simulation's home has something in it
"""

from collections.abc import Sequence
from pathlib import Path


class TrainingError(Exception):
    """Anything that ends a run or a command; the text says what to do about it."""


class BaseModelError(TrainingError):
    """The base model cannot be loaded."""

    def __init__(self, base: str, reason: str) -> None:
        """Build the sentence from the setting and the reason."""
        self.base, self.reason = base, reason
        super().__init__(
            f"The base model {base!r} cannot be loaded: {reason}. Set FILLBOT_BASE_MODEL to a folder with "
            "config.json, model.safetensors and a tokenizer, or to the name of a BERT or DistilBERT masked "
            "language model on the hub."
        )


class EmptyRecipeError(TrainingError):
    """A recipe finds nothing to learn from."""

    def __init__(self, recipe: str) -> None:
        """Name the recipe."""
        super().__init__(
            f"The recipe {recipe!r} finds no text to learn from: UpTrain kept none of the corpus. "
            "Use `--recipe full`, or add texts that praise the brand's products."
        )


class RegistryError(TrainingError):
    """Something about the model versions."""


class UnknownVersionError(RegistryError):
    """No such version."""

    def __init__(self, version: str, known: Sequence[str]) -> None:
        """Build the sentence from what was asked for and what there is."""
        self.version = version
        there = ", ".join(known[-10:]) if known else "none yet"
        super().__init__(f"There is no model version {version!r}. Versions here: {there}.")


class CorruptVersionError(RegistryError):
    """A version's files are missing or changed."""

    def __init__(self, version: str, reason: str) -> None:
        """Build the sentence from the version and what is wrong with it."""
        self.version, self.reason = version, reason
        super().__init__(
            f"Model version {version} is damaged: {reason}. Promote another version with "
            "`python -m training promote VERSION`, or restore the folder from a backup."
        )


class NoChampionError(RegistryError):
    """Nothing serves yet."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__(
            "There is no model version yet. Start the bot once, or run `python -m training init`."
        )


class NoEarlierVersionError(RegistryError):
    """Nothing to roll back to."""

    def __init__(self, champion: str) -> None:
        """Build the sentence from the version that serves."""
        super().__init__(
            f"There is no earlier version to roll back to from {champion}. Name one: see `!versions`."
        )


class WithdrawnVersionError(RegistryError):
    """A version learnt from votes that are forgotten."""

    def __init__(self, version: str) -> None:
        """Build the sentence from the version."""
        self.version = version
        super().__init__(
            f"{version} is withdrawn: it learnt from votes of somebody who asked to be forgotten, and never "
            "serves again. Choose another version: see `!versions`."
        )


class RegistryUnwritableError(RegistryError):
    """The models folder cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        """Build the sentence from the folder and the system's reason."""
        super().__init__(
            f"The models folder {folder} cannot be written ({reason}). Free some disk space or give this "
            "user the right to write there; the champion is unchanged."
        )


class RegistryUnreadableError(RegistryError):
    """The models folder, or a file in it, cannot be read at present: what is in it is not known."""

    def __init__(self, path: Path, reason: str) -> None:
        """Build the sentence from the place and the system's reason."""
        self.path, self.reason = path, reason
        super().__init__(
            f"{path} cannot be read ({reason}), so nothing was changed. Look at that disk or mount, and let "
            "this user read there."
        )


class ExtraMissingError(TrainingError):
    """A setting asks for a package that is not installed."""

    def __init__(self, setting: str, package: str) -> None:
        """Build the sentence from the setting and the package."""
        super().__init__(
            f"{setting} needs the package {package!r}, which is not installed here: "
            "`pip install 'fillbot[cluster]'`."
        )


class RunInProgressError(TrainingError):
    """Another run holds the lock."""

    def __init__(self, holder: str | None = None) -> None:
        """Build the sentence; `holder` is HOST:PID of who does, where several machines share a database."""
        where = f" ({holder})" if holder else ""
        super().__init__(f"A run is already in progress{where}. Wait for its verdict, then try again.")


class DuplicateRunError(TrainingError):
    """Another machine had this run."""

    def __init__(self, run_id: int) -> None:
        """Build the sentence."""
        super().__init__(f"This run was there already, as run {run_id}; nothing was done.")


class RunCancelledError(TrainingError):
    """Somebody ended the run from outside."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__("The run was ended from outside before it could promote; the champion is unchanged.")


class DeviceError(TrainingError):
    """A GPU was asked for and there is none."""

    def __init__(self, device: str) -> None:
        """Build the sentence from the setting."""
        super().__init__(
            f"FILLBOT_DEVICE asks for {device!r}, but torch finds no such GPU on this machine. "
            "Set FILLBOT_DEVICE=auto to train on the CPU when there is none."
        )


class OutOfMemoryError(TrainingError):
    """There is not enough memory, on this machine or on its GPU."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__(
            "There was not enough memory to train, even one sentence at a time. Stop what else runs on this "
            "machine or its GPU, set FILLBOT_DEVICE=cpu where the GPU is too small, or take a smaller "
            "FILLBOT_BASE_MODEL; the champion is unchanged."
        )


class QueryTooLongError(TrainingError):
    """More word pieces than the model can read."""

    def __init__(self, tokens: int, max_tokens: int) -> None:
        """Build the sentence from both counts."""
        self.tokens, self.max_tokens = tokens, max_tokens
        super().__init__(
            f"That is {tokens} word pieces; the model reads at most {max_tokens}. Please shorten it."
        )


class SuiteError(TrainingError):
    """A suite or text file cannot be read."""

    def __init__(self, path: Path, reason: str, *, line: int | None = None) -> None:
        """Build the sentence from the place and the reason."""
        where = f"{path}, line {line}" if line else str(path)
        super().__init__(
            f'{where}: {reason}. A suite has lines of {{"text": "… [MASK] …", "wanted": […], '
            '"unwanted": […], "category": "…"}, a text file {"text": "…"}.'
        )


class BehaviourError(TrainingError):
    """A file of behaviour tests cannot be read."""

    def __init__(self, path: Path, reason: str, *, where: str = "") -> None:
        """Build the sentence from the place and the reason."""
        place = f"{path}, {where}" if where else str(path)
        super().__init__(
            f"{place}: {reason}. Correct the file; training/evaluation/suites/behaviour.yaml shows how "
            "tests are written."
        )


class NotPlottableError(TrainingError):
    """What a plot should show is not there, or is too much."""

    def __init__(self, reason: str, next_step: str) -> None:
        """Build the text from the reason and a sentence that says what to do."""
        super().__init__(f"That cannot be plotted: {reason}. {next_step}")


class PlotUnwritableError(TrainingError):
    """A plot's file cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        """Build the sentence from the place and the system's reason."""
        super().__init__(
            f"The plot cannot be written to {path} ({reason}). Free some disk space, give this user the "
            "right to write there, or name another place with --out."
        )


class PublishError(TrainingError):
    """A version cannot be published where it was asked for."""

    def __init__(self, target: str, reason: str) -> None:
        """Build the sentence from the target and the reason, which says what to do."""
        self.target, self.reason = target, reason
        super().__init__(f"Nothing was published at {target!r}: {reason}.")


class NotComparableError(TrainingError):
    """What was named cannot be compared."""

    def __init__(self, reason: str, known: Sequence[str]) -> None:
        """Build the text from the reason and what there is."""
        there = ", ".join(known[-10:]) if known else "none yet"
        super().__init__(
            f"That cannot be compared: {reason}. Name two versions or folders with a model, and texts with "
            f"[MASK] if you like. Versions here: {there}."
        )


class UnknownLossError(TrainingError):
    """There is no loss of that name to simulate."""

    def __init__(self, name: str, known: Sequence[str], missing: Path | None = None) -> None:
        """Build the text from what was asked for, what there is, and the file of alternatives not found."""
        where = f" The alternatives are in {missing} of a checkout, which is not here." if missing else ""
        super().__init__(f"There is no loss {name!r}. Losses here: {', '.join(known)}.{where}")


class HomeInUseError(TrainingError):
    """A simulation's home has something in it."""

    def __init__(self, folder: Path) -> None:
        """Build the text from the folder."""
        super().__init__(
            f"{folder} is not an empty folder: a simulation makes a home of its own, beside nobody else's. "
            "Name a folder that does not exist yet with --home, or leave it out."
        )
