"""Errors of serving.

TrainingError
└── ServingError
    ├── TooManyWaitingError   more queries wait than may wait
    ├── NothingServesError    no version can be loaded
    ├── ServeClusterUnreachableError      there is no Ray cluster at the address
    └── NotDeployedError      the service did not come up
"""

from pathlib import Path

from training.errors import TrainingError


class ServingError(TrainingError):
    """Something about the versions that serve."""


class TooManyWaitingError(ServingError):
    """More queries wait than may wait."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__("Too many queries wait already. Ask again in a second.")


class NothingServesError(ServingError):
    """No version can be loaded."""

    def __init__(self, trouble: str | None, folder: Path) -> None:
        """Build the sentence from what is wrong with the champion, and where the versions are."""
        self.trouble = trouble
        why = f"{trouble} No other version can be loaded either." if trouble else "There is no version yet."
        super().__init__(f"{why} Look at {folder}, as the replicas see it.")


class ServeClusterUnreachableError(ServingError):
    """There is no Ray cluster at the address."""

    def __init__(self, address: str | None) -> None:
        """Build the sentence from the address; None: there is none."""
        if address is None:
            super().__init__("Set FILLBOT_RAY_ADDRESS to the address of the Ray cluster, http://HOST:8265.")
            return
        super().__init__(
            f"No Ray cluster answers at {address}. Start one with `ray start --head`, or set "
            "FILLBOT_RAY_ADDRESS to the address of the one there is."
        )


class NotDeployedError(ServingError):
    """The service did not come up."""

    def __init__(self, reason: str) -> None:
        """Build the sentence from what Ray Serve says."""
        super().__init__(f"The service did not start: {reason} The Ray dashboard says more.")
