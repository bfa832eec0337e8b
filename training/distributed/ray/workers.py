"""Data parallelism with torch.distributed, without Ray: each worker computes its rows, gradients are summed.

Every worker draws the same batches, runs its own rows through the model, gathers the logits of all workers
and computes the loss of the whole batch. So the loss does not depend on the number of workers, whatever it is
normalized by. Gradients flow only into a worker's own rows; their sum is the gradient of the whole batch. It
is clipped after the sum, and every optimizer takes the same step.

Only the order in which floating-point numbers are added depends on the number of workers.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.finetuning.batches import Batch


class OutOfMemoryElsewhereError(MemoryError):
    """Another worker ran out of memory; all of them retry the step with smaller micro-batches."""

    def __init__(self) -> None:
        super().__init__("out of memory in another worker")


class Workers:
    """A `DataParallelism` over a group of processes."""

    def __init__(self, group: dist.ProcessGroup, device: torch.device) -> None:
        """Take rank and size from the group.

        Args:
            group: All its processes have the same model and make the same calls in the same order.
            device: Of the tensors that are exchanged: the GPU for NCCL, the CPU for Gloo.
        """
        self.rank, self.count = group.rank(), group.size()
        self._group, self._device = group, device
        self._sum: Tensor | None = None

    def forward(
        self, batch: Batch, model: nn.Module, *, device: torch.device, micro_batches: int
    ) -> tuple[Tensor, ...]:
        """Run this worker's rows through the model, and gather the other workers' results."""
        shares = shares_of(batch, self.count)
        start, stop, masks = shares[self.rank]
        if start == stop:  # without rows, run one and discard it: all workers must reach the collective
            start, stop = 0, 1
        rows = batch.rows(start, stop)
        own = [part[:masks] for part in Batch(*rows).to(device).forward(model, micro_batches=micro_batches)]
        most = max(share.masks for share in shares)
        sent = own[0].new_zeros(len(own), most, own[0].shape[1])  # (parts, masks, vocabulary)
        for part, room in zip(own, sent, strict=True):
            room[:masks] = part.detach()
        gathered = [torch.empty_like(sent) for _ in shares]
        self._require_memory_everywhere()
        dist.all_gather(gathered, sent, group=self._group)

        def whole(number: int) -> Tensor:
            """Return one part of the output for the whole batch; gradients flow into this worker's rows."""
            parts = [part[number, : share.masks] for part, share in zip(gathered, shares, strict=True)]
            parts[self.rank] = own[number]
            return torch.cat(parts)

        return tuple(whole(number) for number in range(len(own)))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum all gradients in one all-reduce; a parameter without a gradient in any worker keeps None."""
        learnt = [parameter for parameter in parameters if parameter.requires_grad]
        sizes = [parameter.numel() for parameter in learnt]
        if self._sum is None:
            self._sum = torch.zeros(sum(sizes) + len(sizes), device=self._device)
        total = self._sum
        parts = list(torch.split(total, [*sizes, len(sizes)]))
        counts = parts.pop()
        for i, (parameter, part) in enumerate(zip(learnt, parts, strict=True)):
            counts[i] = parameter.grad is not None
            if parameter.grad is None:
                part.zero_()
            else:
                part.copy_(parameter.grad.flatten())
        self._require_memory_everywhere()
        dist.all_reduce(total, group=self._group)
        for parameter, part, count in zip(learnt, parts, counts.tolist(), strict=True):
            if not count:
                continue
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(part.view_as(parameter))

    def report_out_of_memory(self, error: BaseException) -> None:
        """Broadcast the error at the next collective operation, unless another worker raised it first."""
        if not isinstance(error, OutOfMemoryElsewhereError):
            self._is_any_out_of_memory(here=True)

    def same(self, number: int) -> int:
        """Return the first worker's number, in every worker."""
        agreed = torch.tensor([number], device=self._device)
        dist.broadcast(agreed, group=self._group, group_src=0)
        return int(agreed)

    def _require_memory_everywhere(self) -> None:
        """Synchronize before a collective: a worker out of memory would never join it, and the others hang.

        Raises:
            OutOfMemoryElsewhereError: Another worker ran out of memory.
        """
        if self._is_any_out_of_memory(here=False):
            raise OutOfMemoryElsewhereError

    def _is_any_out_of_memory(self, *, here: bool) -> bool:
        is_any = torch.tensor([int(here)], device=self._device)
        dist.all_reduce(is_any, op=dist.ReduceOp.MAX, group=self._group)
        return bool(is_any)


class Share(NamedTuple):
    """A worker's rows of a batch, and the number of their masks."""

    start: int
    stop: int
    masks: int


def shares_of(batch: Batch, count: int) -> list[Share]:
    """Return the shares of all workers, by rank. Rows are contiguous, and so are their masks."""
    rows, width = batch.input_ids.shape
    edges = [rank * rows // count for rank in range(count + 1)]
    at = torch.searchsorted(batch.mask_at, torch.tensor([edge * width for edge in edges])).tolist()
    return [Share(edges[i], edges[i + 1], at[i + 1] - at[i]) for i in range(count)]
