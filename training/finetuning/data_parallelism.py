"""Data parallelism: the interface through which several workers share the rows of each batch."""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor, device, nn

from training.finetuning.batches import Batch


class DataParallelism(Protocol):
    """One worker's view of a group in which every worker takes the same steps on the same batches."""

    def forward(
        self, batch: Batch, model: nn.Module, *, device: device, micro_batches: int
    ) -> tuple[Tensor, ...]:
        """Return the model's outputs for every mask of the batch, whichever worker computed them.

        Gradients flow only through the rows of this worker, so their sum over the group is the batch's
        gradient.
        """

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the group."""

    def report_out_of_memory(self, error: BaseException) -> None:
        """Broadcast the out-of-memory error so that every worker retries with smaller micro-batches."""


class SingleWorker:
    """A group of one."""

    def forward(
        self, batch: Batch, model: nn.Module, *, device: device, micro_batches: int
    ) -> tuple[Tensor, ...]:
        """Run all rows through the model."""
        return batch.to(device).forward(model, micro_batches=micro_batches)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Do nothing: the gradients are complete."""

    def report_out_of_memory(self, error: BaseException) -> None:
        """Do nothing: no other worker waits."""


SINGLE_WORKER = SingleWorker()
