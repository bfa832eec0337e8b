"""When memory runs out, training continues in micro-batches with the same result, or reports it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from training.corpus.replay_sentences import ReplaySentences
from training.errors import OutOfMemoryError
from training.finetuning.batches import query_batch
from training.finetuning.fine_tune import fine_tune
from training.finetuning.reference_model import ModelWithReference
from training.finetuning.trainer import Step, train
from training.inference.encoder import Encoder
from training.models.out_of_memory import is_out_of_memory, translate_errors
from training.models.torch_model import MaskedLm
from training.progress import NoProgress
from training.settings import NightSettings
from training.votes.retraining_set import Example

QUERY = "Nike shoes are very [MASK]."
REPLAY_SENTENCES = ReplaySentences(
    texts=("nike shoes are very good", "the boots are soft and warm", "it was late", "these socks are new")
    * 4,
    praise=("These boots are [MASK].", "She loves her [MASK] jacket."),
    blame=(("They are not [MASK].", "heavy"), ("It was too [MASK].", "light")),
    others=("the box is [MASK].", "the very old and very heavy box of my store is [MASK] now."),
)
SETTINGS = NightSettings(learning_rate=1e-3, min_steps=6, max_steps=6, replay_examples=8, anchor_examples=4)
FULL = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
)


@contextmanager
def room_for(rows: int) -> Iterator[list[int]]:
    """Simulate a GPU with memory for `rows` rows; yields the sizes of the batches that did not fit."""
    refused: list[int] = []

    def refuse(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if isinstance(module, ModelWithReference) and len(arguments[0]) > rows:
            refused.append(len(arguments[0]))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = nn.modules.module.register_module_forward_pre_hook(refuse)
    try:
        yield refused
    finally:
        hook.remove()


def tuned(masked_lm: MaskedLm) -> dict[str, torch.Tensor]:
    """The weights after a few steps."""
    ids = masked_lm.tokenizer.get_vocab()
    examples = [
        Example(QUERY, "a", 0, (("great", 1.0),), (("ugly", 0.7),)),
        Example("My boots are [MASK].", "b", 0, (("warm", 1.0),), ()),
    ]
    fine_tune(
        masked_lm,
        examples,
        token_of=lambda word: ids.get(word) if word.isalpha() else None,
        offered=[token for word, token in ids.items() if word.isalpha()],
        replay_sentences=REPLAY_SENTENCES,
        settings=SETTINGS,
        shown_words=5,
        device=torch.device("cpu"),
        progress=NoProgress(),
    )
    return masked_lm.state_dict()


def test_a_batch_that_does_not_fit_is_split_into_micro_batches(masked_lm: MaskedLm) -> None:
    with room_for(2) as refused:
        tuned(masked_lm)
    assert 1 <= len(refused) <= 3  # twice as many micro-batches each time, kept from then on


@pytest.mark.parametrize("micro_batches", [2, 3, 64])
def test_micro_batches_give_the_same_gradients(masked_lm: MaskedLm, micro_batches: int) -> None:
    encoder = Encoder(masked_lm.tokenizer, max_tokens=48)
    texts = (QUERY, "They are [MASK] and [MASK].", "[MASK] boots", "the [MASK] box", "it was [MASK]")
    batch = query_batch([encoder.encode(text) for text in texts], encoder.pad)
    masked_lm.double().eval()
    found = []
    for count in (1, micro_batches):
        masked_lm.zero_grad()
        (logits,) = batch.forward(masked_lm, micro_batches=count)
        logits.logsumexp(dim=-1).square().sum().backward()
        found.append({name: p.grad.clone() for name, p in masked_lm.named_parameters() if p.grad is not None})
    whole, split = found
    for name, gradient in whole.items():
        torch.testing.assert_close(split[name], gradient, rtol=1e-6, atol=1e-9)


def test_too_little_memory_for_a_single_row_is_an_error(masked_lm: MaskedLm) -> None:
    with room_for(0), pytest.raises(OutOfMemoryError, match=r"FILLBOT_DEVICE=cpu.*the champion is unchanged"):
        tuned(masked_lm)


def test_other_errors_are_not_retried() -> None:
    model, calls = nn.Linear(2, 2), []

    def loss(micro_batches: int) -> torch.Tensor:
        calls.append(micro_batches)
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        train(
            model,
            lambda _step: Step(loss, rows=8),
            steps=1,
            rates=SETTINGS,
            device=torch.device("cpu"),
            progress=NoProgress(),
        )
    assert calls == [1]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError(FULL), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("could not create a primitive"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (OSError(28, "No space left on device"), False),
        (RuntimeError("expected scalar type Float but found Half"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_out_of_memory_errors_are_recognised(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_a_tensor_that_is_too_large_is_translated() -> None:
    with pytest.raises(OutOfMemoryError), translate_errors():
        torch.empty(1 << 55, dtype=torch.uint8)
