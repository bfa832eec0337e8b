"""Errors of runs on a cluster.

TrainingError
├── ClusterPackageError      the extra is not installed
├── ClusterUnreachableError  nobody takes jobs at the address
├── ClusterRefusedError      the cluster does not take the job
├── ClusterLostError         it went away in the middle
├── ClusterFullError         it has no room for the run
├── WorkersSilentError       workers never began, or fell silent
├── WorkersFailedError       they died more often than a run goes on from
└── JobFailedError           the run failed there; its own sentence
"""

from training.errors import TrainingError

UNCHANGED = "the champion is unchanged."


class ClusterPackageError(TrainingError):
    """The extra is not installed."""

    def __init__(self) -> None:
        """Build the sentence."""
        super().__init__("FILLBOT_RAY_ADDRESS needs Ray: `pip install 'fillbot[cluster]'`.")


class ClusterUnreachableError(TrainingError):
    """Nobody takes jobs at the address."""

    def __init__(self, address: str) -> None:
        """Build the sentence from the address."""
        super().__init__(
            f"The Ray cluster at {address} cannot be reached. Start its head node, or correct "
            f"FILLBOT_RAY_ADDRESS; {UNCHANGED}"
        )


class ClusterRefusedError(TrainingError):
    """The cluster does not take the job."""

    def __init__(self, address: str, reason: str) -> None:
        """Build the sentence from the address and the first line of what the cluster says."""
        super().__init__(f"The Ray cluster at {address} does not take the run: {reason}; {UNCHANGED}")


class ClusterLostError(TrainingError):
    """It went away in the middle."""

    def __init__(self, address: str, silent_s: float) -> None:
        """Build the sentence from the address and how long nothing was heard."""
        super().__init__(
            f"The Ray cluster at {address} was lost in the middle of the run: nothing was heard of it for "
            f"{silent_s:.0f} seconds. Start it again, then start the run again; {UNCHANGED}"
        )


class ClusterFullError(TrainingError):
    """It has no room for the run."""

    def __init__(self, address: str, waited_s: float) -> None:
        """Build the sentence from the address and the wait."""
        super().__init__(
            f"The Ray cluster at {address} had no room for the run within {waited_s:.0f} seconds. Add nodes, "
            f"or wait longer with FILLBOT_RAY_WAIT_S; {UNCHANGED}"
        )


class WorkersSilentError(TrainingError):
    """Workers never began, or fell silent."""

    def __init__(self, workers: int, waited_s: float) -> None:
        """Build the sentence from how many were asked for and the wait."""
        super().__init__(
            f"Nothing was heard of the {workers} training workers for {waited_s:.0f} seconds: the cluster "
            "has no room for them, or their nodes are gone. Add nodes, ask for fewer with "
            f"FILLBOT_RAY_WORKERS, or wait longer with FILLBOT_RAY_WAIT_S; {UNCHANGED}"
        )


class WorkersFailedError(TrainingError):
    """They died more often than a run goes on from."""

    def __init__(self, reason: str) -> None:
        """Build the sentence from the last line of what Ray says."""
        super().__init__(
            f"The training workers failed again and again ({reason}). The log of the job on the Ray "
            f"dashboard says more; {UNCHANGED}"
        )


class JobFailedError(TrainingError):
    """The run failed on the cluster; the text is its own sentence."""
