"""Base model → the team's domain model: masked-LM training on generated and the team's own texts."""

import math

import torch

from training import model
from training.bases import find_base
from training.batches import CorpusBatches
from training.corpus.generator import generate
from training.corpus.readers import read_folder
from training.encoder import Encoder
from training.errors import BaseModelError
from training.losses import masked_lm
from training.progress import Progress
from training.registry import Registry
from training.settings import DomainSettings, Settings
from training.trainer import train
from training.versions import write_version


def train_domain(
    settings: Settings, registry: Registry, domain: DomainSettings, progress: Progress, *, run_id: int
) -> str:
    """Fine-tune the base on the corpus and write the version. Returns its name; no pointer moves.

    Raises:
        BaseModelError: the base cannot be had (the starter needs none: it is made of this corpus).
    """
    folder = find_base(settings.base_model)
    if folder is None:
        raise BaseModelError(
            settings.base_model, "it is not in the hub's cache and the hub cannot be reached"
        )
    device = model.pick_device(settings.device)
    progress.step(f"loading {settings.base_model}")
    base = model.load(folder, base=settings.base_model).to(device)
    torch.manual_seed(domain.seed)
    progress.step("reading the corpus")
    own, sources = read_folder(settings.data_dir, cache_dir=settings.home / "corpus")
    texts = [text.text for text in own] + [s.text for s in generate(domain.sentences, seed=domain.seed)]
    corpus = CorpusBatches(
        texts,
        Encoder(base.tokenizer, max_tokens=base.shape.max_tokens),
        batch_examples=domain.batch_examples,
        mask_share=domain.mask_share,
        max_tokens=domain.max_tokens,
        seed=domain.seed,
    )
    batches = iter(corpus)

    def loss_at(_step: int) -> torch.Tensor:
        batch = next(batches).to(device)
        assert batch.targets is not None
        return masked_lm(base(batch.input_ids, batch.attention_mask, batch.mask_at), batch.targets)

    steps = math.ceil(len(corpus.rows) * domain.epochs / domain.batch_examples)
    progress.step("training the domain model", steps)
    points = train(base, loss_at, steps=steps, rates=domain, device=device, progress=progress)
    progress.step("writing the domain model")
    return write_version(
        registry,
        base.cpu(),
        kind="domain",
        base=settings.base_model,
        settings=domain.model_dump(),
        champion=registry.champion(),
        run_id=run_id,
        recipe="masked language modelling on the team's corpus",
        metrics={
            "loss": [[point.step, round(point.loss, 4)] for point in points],
            "corpus": {
                "generated": domain.sentences,
                **{s.source: s.sentences for s in sources if s.is_read},
            },
        },
    )
