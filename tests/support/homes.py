"""Registries of tiny model versions, with which a bot starts in a moment, and of one that has learned."""

from pathlib import Path


def write_versions(folder: Path) -> Path:
    """Fill a registry: v0001 (base, domain, champion), v0002 (promotable), v0003 (refused by the gate)."""
    from support.tiny import tiny_distilbert, tiny_tokenizer

    from training.models.torch_model import MaskedLm
    from training.models.writing import write_version
    from training.registry.versions import Registry

    registry = Registry(folder)
    about = (
        {"kind": "base"},
        {"kind": "night", "verdict": {"is_promotable": True, "reasons": []}},
        {"kind": "night", "verdict": {"is_promotable": False, "reasons": []}},
    )
    for spread, columns in zip((0.3, 0.4, 0.5), about, strict=True):
        model = MaskedLm(tiny_distilbert(initializer_range=spread), tiny_tokenizer(), base="tiny")
        parent = {"parent": "v0001", "champion": "v0001"} if columns["kind"] == "night" else {}
        write_version(registry, model, base="tiny", settings={}, shown_words=5, **columns, **parent)
    registry.set_domain("v0001")
    registry.promote("v0001")
    return registry.folder


def write_compact_version(folder: Path) -> Path:
    """Fill a registry: v0001 (starter, domain, champion) is compact, and has learned for some seconds."""
    import torch

    from training.domain.starter import train_starter
    from training.models.writing import write_version
    from training.progress import NoProgress
    from training.registry.versions import Registry
    from training.settings import StarterSettings

    settings = StarterSettings(
        sentences=6000,
        steps=600,  # with 400 a run lost .0196 of its control, of .02 allowed: rejected on some machines
        batch_examples=32,
        layers=1,
        hidden_size=64,
        inner_size=128,
        heads=2,
        vocabulary=3000,
    )
    model, _ = train_starter(settings, device=torch.device("cpu"), progress=NoProgress())
    registry = Registry(folder)
    version = write_version(registry, model, kind="starter", base="starter", settings={}, shown_words=5)
    registry.set_domain(version)
    registry.promote(version)
    return registry.folder
