"""A home with tiny model versions, so that the bot starts in a moment."""

from pathlib import Path


def write_versions(folder: Path) -> Path:
    """Fill a registry: v0001 (base, domain, champion), v0002 (promotable), v0003 (refused by the gate)."""
    from tiny import tiny_distilbert, tiny_tokenizer

    from training.model import MaskedLm
    from training.registry import Registry
    from training.versions import write_version

    registry = Registry(folder)
    about = (
        {"kind": "base"},
        {"kind": "night", "verdict": {"is_promotable": True, "reasons": []}},
        {"kind": "night", "verdict": {"is_promotable": False, "reasons": []}},
    )
    for spread, columns in zip((0.3, 0.4, 0.5), about, strict=True):
        model = MaskedLm(tiny_distilbert(initializer_range=spread), tiny_tokenizer(), base="tiny")
        parent = {"parent": "v0001", "champion": "v0001"} if columns["kind"] == "night" else {}
        write_version(registry, model, base="tiny", settings={}, **columns, **parent)
    registry.set_domain("v0001")
    registry.promote("v0001")
    return registry.folder
