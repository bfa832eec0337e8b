"""A version's model card: `README.md` in the format of the Hugging Face hub. Pure.

It may be published, so it contains no query, no person and no path: see `card_figures`.
"""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.registry.publishing.card_figures import (
    Rows,
    counts,
    figure,
    is_name,
    plain,
    rows,
    table,
    tables,
)

if TYPE_CHECKING:
    from training.registry.card import Card

# `owner/name`; the oldest models on the hub have no owner.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_RELEASE = re.compile(r"[0-9][\w.+-]{0,30}", re.ASCII)
_WORD = re.compile(r"[^\W\d_]{1,40}(?:[-'’][^\W\d_]{1,40})*")
_SHOWN_WORDS = 20
_SHOWN_ELSEWHERE = ("loss", "corpus", "added_words")  # metrics with their own section

_WHAT = {
    "base": "A masked language model as its makers published it, exported for fillbot, not trained further.",
    "starter": "A compact masked language model, trained from scratch on generated sentences: for trying "
    "fillbot where no base model is at hand.",
    "domain": "A masked language model trained further on the texts and words of a sportswear brand's "
    "product and support team.",
    "night": "A masked language model of a sportswear brand's product and support team, fine-tuned on the "
    "words that the team voted up and down.",
}

_USE = """\
## How to use it

With transformers. End the text with a period; without one, the model often predicts the period:

```python
from transformers import pipeline
fill = pipeline("fill-mask", model="FOLDER_OR_REPOSITORY")
print(fill(f"Nike shoes are very {fill.tokenizer.mask_token}."))
```

With fillbot, which offers only whole words and no offensive ones (`vocabulary.json`):

```sh
python -m training predict --model FOLDER "Nike shoes are very [MASK]"
FILLBOT_BASE_MODEL=FOLDER_OR_REPOSITORY python -m bot  # as the base model of another fillbot
```"""

_LIMITS = """\
## Intended use and limits

- It suggests words for short English texts about sportswear, to people of a product and support team who
  choose one. It is not meant for general use, and what it fills in states no fact about any product.
- It answers with single words of its vocabulary. Through transformers it may answer with pieces of words
  and with offensive words; fillbot offers neither.
- It has the bias of its base model and of the texts it was trained on."""

_TAUGHT = """\
- It was trained to prefer words that suit a brand (wanted words) to words that do not (unwanted words). That
  is a preference: it must not be used to measure sentiment or to judge products."""

_VOTES = """\
- The votes it learnt from are opinions of a few people of the team. They may be wrong, and they are not
  those of customers.
- What the votes say of words is added to the logits in `model.onnx` alone (the output shift). Through
  transformers the weights answer without it."""

_TERMS = """\
- No licence is stated here. The terms of the base model and of the texts it was trained on apply; choose a
  licence before you publish it."""


def is_hub_name(base: str) -> bool:
    """Whether a base model is a name on the hub, not a path."""
    return _HUB_NAME.fullmatch(base) is not None and ".." not in base


def model_card(card: "Card") -> str:
    """Format a version's card as Markdown with YAML front matter.

    Never raises, whatever the card's free-form fields contain: a run must not fail because of a README.
    """
    limits = [_LIMITS]
    limits += [_TAUGHT] if card.kind != "base" else []
    limits += [_VOTES] if card.kind == "night" else []
    sections = [
        _front_matter(card),
        f"# fillbot {plain(card.version)}",
        _WHAT[card.kind],
        _section("## Origin", table(("", ""), _origin(card))),
        _section("### Texts", table(("source", "texts"), counts(card.metrics.get("corpus")))),
        _section("### Settings", table(("setting", "value"), rows(card.settings))),
        _section("### Libraries", table(("library", "version"), _libraries(card))),
        _section("## Results", *_results(card)),
        _section("## Words added to the vocabulary", _added_words(card.metrics.get("added_words"))),
        _USE,
        "\n".join([*limits, _TERMS]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(card: "Card") -> str:
    lines = ["library_name: transformers", "pipeline_tag: fill-mask"]
    if card.kind != "starter" and is_hub_name(card.base):
        lines.append(f"base_model: {json.dumps(card.base)}")  # quoted: a model may be called `null`
    lines += ["language: en", "tags:", "- fillbot", "- masked-lm", "- sportswear", "- customer-support"]
    return "\n".join(["---", *lines, "---"])


def _origin(card: "Card") -> Rows:
    base = f"`{card.base}`" if is_hub_name(card.base) else "a model from a local folder"
    made = [
        ("base model", "none" if card.kind == "starter" else base),
        ("fine-tuned from", plain(card.parent or "")),
        ("recipe", plain(card.recipe)),
        ("made at", plain(card.created_at.isoformat(" ", "minutes"))),
        ("votes up to", plain(card.as_of.isoformat(" ", "minutes")) if card.as_of else ""),
        ("run", figure(card.run_id)),
        ("hash of the retraining set", plain(card.retraining_set_hash or "")),
        ("precision of `model.onnx`", plain(card.precision)),
    ]
    return [(name, value) for name, value in made if value]


def _libraries(card: "Card") -> Rows:
    return [(f"`{k}`", v) for k, v in card.libraries.items() if is_name(k) and _RELEASE.fullmatch(v)]


def _results(card: "Card") -> list[str]:
    figures = {name: value for name, value in card.metrics.items() if name not in _SHOWN_ELSEWHERE}
    return [*tables(figures), _loss(card.metrics.get("loss")), _verdict(card)]


def _section(title: str, *bodies: str) -> str:
    """Join a title and its non-empty bodies; empty without any."""
    found = [body for body in bodies if body]
    return "\n\n".join([title, *found]) if found else ""


def _loss(points: Any) -> str:
    """Describe the training loss at both ends of a list of (step, loss)."""
    try:
        (first, before), *_, (last, after) = points
        return f"Training loss: {before:.4g} at step {first:d}, {after:.4g} at step {last:d}."
    except (TypeError, ValueError, OverflowError):
        return ""


def _verdict(card: "Card") -> str:
    """Describe the gate's verdict with its reasons; empty for a version that was not judged."""
    is_promotable, reasons = card.verdict.get("is_promotable"), card.verdict.get("reasons")
    before = (
        "the champion of that day and with the domain model" if card.kind == "night" else "its base model"
    )
    if not isinstance(is_promotable, bool):
        return ""
    said = "it passed" if is_promotable else "it did not pass"
    lines = [
        f"- {'passed' if reason.get('passed') is True else 'failed'}: {plain(reason['text'])}"
        for reason in (reasons if isinstance(reasons, list | tuple) else ())
        if isinstance(reason, Mapping) and isinstance(reason.get("text"), str)
    ]
    asked = f"The gate compared it with {before}: {said}."
    return "\n\n".join([asked, "\n".join(lines)]).strip()


def _added_words(words: Any) -> str:
    of_list = words if isinstance(words, list | tuple) else ()
    shown = [word for word in of_list if isinstance(word, str) and _WORD.fullmatch(word)]
    if not shown:
        return ""
    examples = ", ".join(shown[:_SHOWN_WORDS]) + (", …" if len(shown) > _SHOWN_WORDS else "")
    return (
        "The base model splits these words into pieces. Here each is one token, so that it can fill one mask "
        f"({len(shown):,}): {examples}"
    )
