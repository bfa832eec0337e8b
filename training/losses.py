"""The losses, each a scalar in fp32."""

from torch import Tensor
from torch.nn import functional


def masked_lm(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the hidden tokens. logits (masks, vocabulary), targets (masks,) token ids."""
    return functional.cross_entropy(logits.float(), targets)


def kl_to_reference(logits: Tensor, reference: Tensor) -> Tensor:
    """Mean KL(reference ‖ model) over the masks, in nats. Both (masks, vocabulary) logits."""
    log_model = functional.log_softmax(logits.float(), dim=-1)
    log_reference = functional.log_softmax(reference.float(), dim=-1)
    return functional.kl_div(log_model, log_reference, reduction="batchmean", log_target=True)


def likelihood(logits: Tensor, rows: Tensor, words: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of −log p(word): raises wanted words.

    Args:
        logits: (masks, vocabulary).
        rows, words, weights: (judgements,) which mask, which token, how much.
    """
    log_p = functional.log_softmax(logits.float(), dim=-1)[rows, words]  # (judgements,)
    return -(log_p * weights).sum() / weights.sum().clamp_min(1e-9)


def unlikelihood(logits: Tensor, rows: Tensor, words: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of −log(1 − p(word)): sinks unwanted words (Welleck et al. 1908.04319).

    1 − p is kept above 1e-5, as the authors do. Shapes as in `likelihood`.
    """
    p = functional.softmax(logits.float(), dim=-1)[rows, words]  # (judgements,)
    penalty = -(1.0 - p).clamp_min(1e-5).log()
    return (penalty * weights).sum() / weights.sum().clamp_min(1e-9)
