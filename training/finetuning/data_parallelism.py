"""How the rows of a batch are spread over those who train together: the seam that workers plug into."""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor, device, nn

from training.finetuning.batches import Batch


class DataParallelism(Protocol):
    """One of those who train together; all of them take the same steps on the same batches."""

    def forward(
        self, batch: Batch, model: nn.Module, *, device: device, micro_batches: int
    ) -> tuple[Tensor, ...]:
        """What the model says of every mask of the batch, whoever worked it out.

        Gradients flow only into what was worked out here, so that their sum over all is the batch's.
        """

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Put the sum over all in the place of everybody's gradients."""

    def report_out_of_memory(self, error: BaseException) -> None:
        """Let the others hear that memory ran out, so that all take the step again in smaller pieces."""


class SingleWorker:
    """Everything is worked out here."""

    def forward(
        self, batch: Batch, model: nn.Module, *, device: device, micro_batches: int
    ) -> tuple[Tensor, ...]:
        """All rows."""
        return batch.to(device).forward(model, micro_batches=micro_batches)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """They are whole."""

    def report_out_of_memory(self, error: BaseException) -> None:
        """There is nobody."""


SINGLE_WORKER = SingleWorker()
