"""What our loss is compared with, each as its source has it: `simulate --loss NAME`.

They see the same judgements, weights, batches and steps as ours. What a source does not have, they have not:
no anchors, no carrying over to sentences nobody voted on, no frozen layers, and replay only where it is part
of the recipe.
"""

from torch import Tensor
from torch.nn import functional

from training.finetuning.losses import BatchJudgements
from training.finetuning.objective import Objective

BETA = 0.1  # DPO's and KTO's own default
LEAST = 1e-5  # 1 − p is clamped here, as in the code that Welleck et al. published


def cross_entropy(logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
    """−log p of the wanted words: the usual recipe."""
    wanted = judged.signs > 0
    return _mean(-_log_probabilities(logits, judged)[wanted], judged.weights[wanted])


def unlikelihood(logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
    """−log p of the wanted words and −log(1 − p) of the unwanted ones (Welleck et al. 1908.04319)."""
    unwanted = judged.signs < 0
    probability = _log_probabilities(logits, judged)[unwanted].exp()
    penalty = -(1 - probability).clamp_min(LEAST).log()
    return cross_entropy(logits, reference, judged) + _mean(penalty, judged.weights[unwanted])


def dpo(logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
    """−log σ(β · how much more a wanted word rose than an unwanted one of the same query).

    Rafailov et al. 2305.18290, equation 7, over all pairs of a query; one word's probability is exact. A
    query with no wanted or no unwanted word has no pair.
    """
    rise = _rise(logits, reference, judged)
    wanted, unwanted = (judged.signs > 0).nonzero()[:, 0], (judged.signs < 0).nonzero()[:, 0]
    same = judged.rows[wanted][:, None] == judged.rows[unwanted][None, :]  # (wanted, unwanted)
    first, second = same.nonzero(as_tuple=True)
    first, second = wanted[first], unwanted[second]  # (pairs,)
    loss = -functional.logsigmoid(BETA * (rise[first] - rise[second]))
    return _mean(loss, judged.weights[first] * judged.weights[second])


def kto(logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
    """1 − σ(±β · (how much a word rose − KL(model ‖ reference) at its mask)).

    Ethayarajh et al. 2402.01306, equation 8, both weights 1. The reference point is detached and at least 0
    as there, but exact where their code estimates it from mismatched pairs.
    """
    log_model = functional.log_softmax(logits.float(), dim=-1)
    log_reference = functional.log_softmax(reference.float(), dim=-1)
    divergence = (log_model.exp() * (log_model - log_reference)).sum(dim=-1).detach().clamp_min(0)  # (masks,)
    gain = judged.signs * (_rise(logits, reference, judged) - divergence[judged.rows])
    return _mean(1 - (BETA * gain).sigmoid(), judged.weights)


def _log_probabilities(logits: Tensor, judged: BatchJudgements) -> Tensor:
    """log p of each judged word at its mask, (judgements,)."""
    return functional.log_softmax(logits.float(), dim=-1)[judged.rows, judged.words]


def _rise(logits: Tensor, reference: Tensor, judged: BatchJudgements) -> Tensor:
    """log(p / p of the reference) of each judged word, (judgements,)."""
    return _log_probabilities(logits, judged) - _log_probabilities(reference, judged)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean; 0, with a gradient of 0, of no values."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-9)


PLAIN = {"has_anchors": False, "has_shift": False, "frozen_share": 0.0, "step_shares": ((1.0, 1.0),)}
OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective("ce", cross_entropy, has_replay=False, **PLAIN),
        Objective("unlikelihood", unlikelihood, **PLAIN),
        Objective("dpo", dpo, has_replay=False, **PLAIN),
        Objective("kto", kto, has_replay=False, **PLAIN),
    )
}
