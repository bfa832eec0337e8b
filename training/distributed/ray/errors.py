"""Errors of runs on a Ray cluster.

TrainingError
├── ClusterPackageError      the package `ray` is not installed
├── ClusterUnreachableError  no Ray head node answers at the address
├── ClusterRefusedError      the cluster rejected the job
├── ClusterLostError         the cluster stopped answering during the run
├── ClusterFullError         the cluster had no resources for the run in time
├── WorkersSilentError       the training workers never started, or stopped reporting
├── WorkersFailedError       the training workers failed more often than a run is resumed
└── JobFailedError           the run failed on the cluster
"""

from training.errors import TrainingError

UNCHANGED = "the champion is unchanged."


class ClusterPackageError(TrainingError):
    """The package `ray` is not installed."""

    def __init__(self) -> None:
        super().__init__("FILLBOT_RAY_ADDRESS needs Ray: `pip install 'fillbot[cluster]'`.")


class ClusterUnreachableError(TrainingError):
    """No Ray head node answers at the address."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"The Ray cluster at {address} cannot be reached. Start its head node, or correct "
            f"FILLBOT_RAY_ADDRESS; {UNCHANGED}"
        )


class ClusterRefusedError(TrainingError):
    """The cluster rejected the job; `reason` is the first line of its answer."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"The Ray cluster at {address} rejected the run: {reason}; {UNCHANGED}")


class ClusterLostError(TrainingError):
    """The cluster stopped answering during the run."""

    def __init__(self, address: str, silent_s: float) -> None:
        super().__init__(
            f"The Ray cluster at {address} was lost during the run: it did not answer for "
            f"{silent_s:.0f} seconds. Restart the cluster, then the run; {UNCHANGED}"
        )


class ClusterFullError(TrainingError):
    """The cluster had no resources for the run in time."""

    def __init__(self, address: str, waited_s: float) -> None:
        super().__init__(
            f"The Ray cluster at {address} had no resources for the run within {waited_s:.0f} seconds. Add "
            f"nodes, or wait longer with FILLBOT_RAY_WAIT_S; {UNCHANGED}"
        )


class WorkersSilentError(TrainingError):
    """The training workers never started, or stopped reporting."""

    def __init__(self, workers: int, waited_s: float) -> None:
        super().__init__(
            f"The {workers} training workers did not report for {waited_s:.0f} seconds: the cluster has no "
            "resources for them, or their nodes are gone. Add nodes, ask for fewer workers with "
            f"FILLBOT_RAY_WORKERS, or wait longer with FILLBOT_RAY_WAIT_S; {UNCHANGED}"
        )


class WorkersFailedError(TrainingError):
    """The training workers failed more often than a run is resumed; `reason` is the last line from Ray."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The training workers failed repeatedly ({reason}). The log of the job on the Ray "
            f"dashboard says more; {UNCHANGED}"
        )


class JobFailedError(TrainingError):
    """The run failed on the cluster; the message is the run's own."""
