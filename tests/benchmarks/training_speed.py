"""Real tokens a second: our trainer against `transformers.Trainer` with the usual recipe, on the same texts.

The usual recipe is `run_mlm`'s: texts joined and cut into chunks of 128, every position projected, fp32 (bf16
on a GPU), AdamW. Equal batch content: both take as many real tokens a step. Weights of distilbert's size.
"""

import os
import tempfile
import time

import measure
import torch
from measure import Row
from sized import IS_SMALL, distilbert

from training.corpus.generator import generate
from training.finetuning.batches import CorpusBatches
from training.finetuning.losses import masked_lm
from training.finetuning.trainer import Step, Trainer
from training.inference.encoder import Encoder
from training.progress import NoProgress
from training.settings import DomainSettings

CHUNK, MASK_SHARE = 128, 0.15
STEPS = 6
PEAK_TFLOPS = {"H100": 989, "H200": 989, "A100": 312, "L4": 121, "4090": 165}  # bf16, dense: data sheets
FLOPS_A_TOKEN = 6 * 42.5e6 + 6 * 24e6 * MASK_SHARE  # 6 a weight: layers, and the head at the masks


def run() -> list[Row]:
    """On the GPU where there is one, else on the CPU."""
    device = measure.device()
    chunks = 256 if device.type == "cuda" else 2 if IS_SMALL else 16
    texts = [sentence.text for sentence in generate(60_000 if device.type == "cuda" else 6_000, seed=0)]
    usual = _usual(texts, chunks, device)
    ours = _ours(texts, chunks * CHUNK, device)
    name = measure.device_name()
    limit, note = None, name
    if device.type == "cuda":
        peak = next((peak for known, peak in PEAK_TFLOPS.items() if known in name), None)
        if peak:
            limit = peak * 1e12 / FLOPS_A_TOKEN
            note = f"{name}; limit: {peak} TFLOP/s, so the last column is MFU on real tokens"
    return [Row("training", ours, "real tokens/s", usual, limit, is_rate=True, note=note)]


def _ours(texts: list[str], tokens: int, device: torch.device) -> float:
    model = distilbert()
    encoder = Encoder(model.tokenizer, max_tokens=512)
    mean = sum(len(encoder.encode_text(text, 64)) for text in texts[:500]) / len(texts[:500])
    batches = CorpusBatches(
        texts, encoder, batch_examples=round(tokens / mean), mask_share=MASK_SHARE, max_tokens=64, seed=0
    )
    stream = iter(batches)
    seen = 0

    def step_at(_step: int) -> Step:
        nonlocal seen
        batch = next(stream)
        seen += batch.tokens
        batch = batch.to(device)

        def loss(micro_batches: int) -> torch.Tensor:
            (logits,) = batch.forward(model, micro_batches=micro_batches)
            assert batch.targets is not None
            return masked_lm(logits, batch.targets)

        return Step(loss, rows=len(batch.input_ids))

    trainer = Trainer(model.to(device), steps=STEPS + 2, rates=DomainSettings(), device=device)
    trainer.train(step_at, progress=NoProgress(), until=2)
    seen, began = 0, _now(device)
    trainer.train(step_at, progress=NoProgress())
    return seen / (_now(device) - began)


def _usual(texts: list[str], chunks: int, device: torch.device) -> float:
    from datasets import Dataset, disable_progress_bars
    from transformers import (
        DataCollatorForLanguageModeling,
        PreTrainedTokenizerFast,
        TrainerCallback,
        TrainingArguments,
    )
    from transformers import Trainer as TheirTrainer

    disable_progress_bars()
    model = distilbert()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=model.tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    ids = [token for text in texts for token in tokenizer(text)["input_ids"]]
    ids = (ids * (1 + (STEPS + 2) * chunks * CHUNK // len(ids)))[: (STEPS + 2) * chunks * CHUNK]
    rows = [ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK)]
    data = Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * CHUNK] * len(rows)})
    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            times.append(_now(device))

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=chunks, max_steps=STEPS + 2, save_strategy="no",
            logging_strategy="no", report_to=[], disable_tqdm=True, bf16=device.type == "cuda",
            use_cpu=device.type == "cpu", dataloader_num_workers=0,
        )  # fmt: skip
        collator = DataCollatorForLanguageModeling(tokenizer, mlm_probability=MASK_SHARE)
        TheirTrainer(
            model.model, arguments, train_dataset=data, data_collator=collator, callbacks=[Clock()]
        ).train()
    return STEPS * chunks * CHUNK / (times[-1] - times[1])


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
