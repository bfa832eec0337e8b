"""Errors of answering queries.

TrainingError
└── ServingError
    ├── TooManyWaitingError              the queue of waiting queries is full
    ├── NothingServesError               no version exists, or none loads
    ├── ServeClusterUnreachableError     no Ray cluster answers at the address
    └── NotDeployedError                 the service did not start
"""

from pathlib import Path

from training.errors import TrainingError


class ServingError(TrainingError):
    """Queries cannot be answered."""


class TooManyWaitingError(ServingError):
    """The queue of waiting queries is full."""

    def __init__(self) -> None:
        super().__init__("Too many queries are waiting. Ask again in a second.")


class NothingServesError(ServingError):
    """No version exists, or none loads."""

    def __init__(self, trouble: str | None, folder: Path) -> None:
        self.trouble = trouble
        why = f"{trouble} No other version can be loaded either." if trouble else "There is no version yet."
        super().__init__(f"{why} Look at {folder}, as the replicas see it.")


class ServeClusterUnreachableError(ServingError):
    """No Ray cluster answers at the address; None if no address is set."""

    def __init__(self, address: str | None) -> None:
        if address is None:
            super().__init__("Set FILLBOT_RAY_ADDRESS to the address of the Ray cluster, http://HOST:8265.")
            return
        super().__init__(
            f"No Ray cluster answers at {address}. Start one with `ray start --head`, or set "
            "FILLBOT_RAY_ADDRESS to the address of a running one."
        )


class NotDeployedError(ServingError):
    """The service did not start; `reason` is what Ray Serve says."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The service did not start: {reason} The Ray dashboard says more.")
