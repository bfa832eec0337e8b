"""Errors of the training package. Every message says what happened, where, and what to do.

TrainingError
├── BaseModelError               the base model cannot be loaded
├── WeakBaseError                the base model cannot fill in easy blanks
├── NoStarterError               no base model, and no sentences to train a starter on
├── EmptyRecipeError             a recipe finds no text to learn from
├── RegistryError
│   ├── UnknownVersionError      no such version in the registry
│   ├── CorruptVersionError      the files of a version do not match its card
│   ├── NoChampionError          no version serves yet
│   ├── NoEarlierVersionError    no version to roll back to
│   ├── WithdrawnVersionError    a version learnt from votes that were deleted
│   ├── RegistryUnwritableError  the models folder cannot be written
│   ├── RegistryUnreadableError  the models folder cannot be read at present
│   └── …                        registry/errors.py: the champion moved, or versions are shared
├── ServingError                 inference/errors.py: queries cannot be answered
├── …                            distributed/ray/errors.py: a run on a Ray cluster failed
├── ExtraMissingError            a setting needs a package that is not installed
├── RunInProgressError           another run holds the lock
├── DuplicateRunError            another machine already did this run
├── RunCancelledError            the run was cancelled from outside
├── DeviceError                  the machine has no GPU, and one was asked for
├── OutOfMemoryError             training needs more memory, even with single sentences
├── QueryTooLongError            a query has more word pieces than the model reads
├── SuiteError                   a suite or text file cannot be read
├── BehaviourError               a file of behaviour tests cannot be read
├── NotPlottableError            the data for a plot are missing, or too many
├── PlotUnwritableError          the file of a plot cannot be written
├── PublishError                 a version cannot be published at a target
├── NotComparableError           the named models cannot be compared
├── UnknownLossError             no loss of that name to simulate
├── PeopleError                  a group of simulated people cannot be read
├── TooFewJudgementsError        too few words are judged for a learning curve
├── TasteError                   the taste of a simulated team cannot be read
└── HomeInUseError               the home of a simulation is not empty
"""

from collections.abc import Sequence
from pathlib import Path

from storage.sentences import TranslatableError


class TrainingError(TranslatableError):
    """Ends a run or a command."""


class BaseModelError(TrainingError):
    """The base model cannot be loaded."""

    def __init__(self, base: str, reason: str) -> None:
        self.base, self.reason = base, reason
        super().__init__(
            f"The base model {base!r} cannot be loaded: {reason}. Set FILLBOT_BASE_MODEL to a folder with "
            "config.json, model.safetensors and a tokenizer, or to the name of a masked language model on "
            "the hub."
        )


class NoStarterError(TrainingError):
    """There is no base model, and no sentences to train a starter on."""

    def __init__(self, language: str) -> None:
        super().__init__(
            f"In the language {language} there are no sentence patterns that a starter could learn. Set "
            "FILLBOT_BASE_MODEL to a masked language model of this language."
        )


class WeakBaseError(TrainingError):
    """The base model cannot fill in easy blanks."""

    def __init__(self, base: str, known: int, asked: int) -> None:
        """`known` and `asked` count the blanks of the kinds of which the model knows too few."""
        super().__init__(
            f"The base model {base!r} fills in only {known} of {asked} easy blanks, which a model of this "
            "language should know: perhaps its head was not trained, or does not belong to it. Set "
            "FILLBOT_BASE_MODEL to a masked language model of the language in FILLBOT_CORPUS_LANGUAGE, or "
            "set FILLBOT_ALLOW_WEAK_BASE=true to use it nevertheless."
        )


class EmptyRecipeError(TrainingError):
    """A recipe finds no text to learn from."""

    def __init__(self, recipe: str) -> None:
        super().__init__(
            f"The recipe {recipe!r} finds no text to learn from: UpTrain kept none of the corpus. "
            "Use `--recipe full`, or add texts that praise the brand's products."
        )


class RegistryError(TrainingError):
    """The registry of model versions cannot do what was asked."""


class UnknownVersionError(RegistryError):
    """The registry has no such version."""

    def __init__(self, version: str, known: Sequence[str]) -> None:
        self.version, self.known = version, list(known[-10:])
        there = ", ".join(self.known) or "none yet"
        super().__init__(f"There is no model version {version!r}. Versions here: {there}.")


class CorruptVersionError(RegistryError):
    """Files of a version are missing or changed."""

    def __init__(self, version: str, reason: str) -> None:
        self.version, self.reason = version, reason
        super().__init__(
            f"Model version {version} is damaged: {reason}. Promote another version with "
            "`python -m training promote VERSION`, or restore the folder from a backup."
        )


class NoChampionError(RegistryError):
    """No version serves yet."""

    def __init__(self) -> None:
        super().__init__(
            "There is no model version yet. Start the bot once, or run `python -m training init`."
        )


class NoEarlierVersionError(RegistryError):
    """The registry has no version to roll back to."""

    def __init__(self, champion: str) -> None:
        super().__init__(
            f"There is no earlier version to roll back to from {champion}. Name one: see `!versions`."
        )


class WithdrawnVersionError(RegistryError):
    """A version learnt from votes that were deleted."""

    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(
            f"{version} is withdrawn: it learnt from votes of a person who asked to be forgotten, and never "
            "serves again. Choose another version: see `!versions`."
        )


class RegistryUnwritableError(RegistryError):
    """The models folder cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"The models folder {folder} cannot be written ({reason}). Free some disk space or give this "
            "user the right to write there; the champion is unchanged."
        )


class RegistryUnreadableError(RegistryError):
    """The models folder, or a file in it, cannot be read at present. Its contents are unknown, not absent."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"{path} cannot be read ({reason}), so nothing was changed. Check that disk or mount, and give "
            "this user the right to read there."
        )


class ExtraMissingError(TrainingError):
    """A setting needs a package that is not installed."""

    def __init__(self, setting: str, package: str) -> None:
        super().__init__(
            f"{setting} needs the package {package!r}, which is not installed here: "
            "`pip install 'fillbot[cluster]'`."
        )


class RunInProgressError(TrainingError):
    """Another run holds the lock."""

    def __init__(self, holder: str | None = None) -> None:
        where = f" ({holder})" if holder else ""
        super().__init__(f"A run is already in progress{where}. Wait for its verdict, then try again.")


class DuplicateRunError(TrainingError):
    """Another machine already did this run."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"Another machine already did this run, as run {run_id}; nothing was done.")


class RunCancelledError(TrainingError):
    """The run was cancelled from outside."""

    def __init__(self) -> None:
        super().__init__("The run was cancelled before it could promote; the champion is unchanged.")


class DeviceError(TrainingError):
    """The machine has no GPU, and one was asked for."""

    def __init__(self, device: str) -> None:
        super().__init__(
            f"FILLBOT_DEVICE asks for {device!r}, but torch finds no such GPU on this machine. "
            "Set FILLBOT_DEVICE=auto to train on the CPU where no GPU is found."
        )


class OutOfMemoryError(TrainingError):
    """Training needs more memory than this machine or its GPU has."""

    def __init__(self) -> None:
        super().__init__(
            "There was not enough memory to train, even one sentence at a time. Stop other programs on this "
            "machine or its GPU, set FILLBOT_DEVICE=cpu where the GPU is too small, or choose a smaller "
            "FILLBOT_BASE_MODEL; the champion is unchanged."
        )


class QueryTooLongError(TrainingError):
    """A query has more word pieces than the model reads."""

    def __init__(self, tokens: int, max_tokens: int) -> None:
        self.tokens, self.max_tokens = tokens, max_tokens
        super().__init__(
            f"That is {tokens} word pieces; the model reads at most {max_tokens}. Please shorten it."
        )


class SuiteError(TrainingError):
    """A suite or text file cannot be read."""

    def __init__(self, path: Path, reason: str, *, line: int | None = None) -> None:
        where = f"{path}, line {line}" if line else str(path)
        super().__init__(
            f'{where}: {reason}. A suite has lines of {{"text": "… [MASK] …", "wanted": […], '
            '"unwanted": […], "category": "…"}, a text file {"text": "…"}.'
        )


class BehaviourError(TrainingError):
    """A file of behaviour tests cannot be read."""

    def __init__(self, path: Path, reason: str, *, where: str = "") -> None:
        place = f"{path}, {where}" if where else str(path)
        super().__init__(
            f"{place}: {reason}. Correct the file; training/corpus/languages/en/suites/behaviour.yaml shows "
            "how tests are written."
        )


class NotPlottableError(TrainingError):
    """The data for a plot are missing, or too many."""

    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(f"That cannot be plotted: {reason}. {next_step}")


class PlotUnwritableError(TrainingError):
    """The file of a plot cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"The plot cannot be written to {path} ({reason}). Free some disk space, give this user the "
            "right to write there, or name another place with --out."
        )


class PublishError(TrainingError):
    """A version cannot be published at a target."""

    def __init__(self, target: str, reason: str) -> None:
        self.target, self.reason = target, reason
        super().__init__(f"Nothing was published at {target!r}: {reason}.")


class NotComparableError(TrainingError):
    """The named models cannot be compared."""

    def __init__(self, reason: str, known: Sequence[str]) -> None:
        self.known = list(known[-10:])
        there = ", ".join(self.known) or "none yet"
        super().__init__(
            f"That cannot be compared: {reason}. Name two versions or folders with a model, and texts with "
            f"[MASK] if you like. Versions here: {there}."
        )


class UnknownLossError(TrainingError):
    """No loss of that name can be simulated."""

    def __init__(self, name: str, known: Sequence[str], missing: Path | None = None) -> None:
        where = f" The alternatives are in {missing} of a checkout, which is not here." if missing else ""
        super().__init__(f"There is no loss {name!r}. Losses here: {', '.join(known)}.{where}")


class PeopleError(TrainingError):
    """A group of simulated people cannot be read."""

    def __init__(self, part: str, habits: Sequence[str]) -> None:
        super().__init__(
            f"{part!r} is no group of people. Write HABIT, HABIT:NUMBER or HABIT:NUMBER@NIGHTS, such as "
            f"menu:5, lazy or raid:10@3 (nights: 3, 3-, -14 or 3-14). Habits: {', '.join(habits)}."
        )


class TooFewJudgementsError(TrainingError):
    """Too few words are judged to say what votes taught."""

    def __init__(self, judged: int, needed: int) -> None:
        super().__init__(
            f"Your team has judged {judged} words on the queries that are held out, and a curve needs "
            f"{needed}. About a fifth of the queries with votes are held out: try again with more votes."
        )


class TasteError(TrainingError):
    """A taste cannot be read."""

    def __init__(self, taste: str, reason: str) -> None:
        super().__init__(
            f"The taste {taste!r} cannot be read: {reason}. Write random:SEED, or a file that holds "
            '{"wanted": [words], "unwanted": [words]}.'
        )


class HomeInUseError(TrainingError):
    """The home of a simulation is not empty."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is not an empty folder, and a simulation needs a home of its own. Name a folder that "
            "does not exist yet with --home, or leave the option out."
        )
