"""`predict` and `evaluate`: the words of a model, and its metrics."""

import argparse
import itertools
import sys
from dataclasses import asdict
from pathlib import Path

from training.cli.output import COUNT, Commands, fail, fill_model_of, print_json
from training.settings import Settings


def add(commands: Commands) -> None:
    """Declare the commands."""
    predict = commands.add(
        "predict", _predict, "the best words for a text with [MASK], without vote adjustment"
    )
    predict.add_argument("text")
    predict.add_argument("--top", type=COUNT, help="how many words (default: FILLBOT_SHOWN_WORDS)")
    predict.add_argument("--model", help="a version, or a folder; default: the champion")
    evaluation = commands.add("evaluate", _evaluate, "metrics on a suite and on texts")
    evaluation.add_argument(
        "--suite", type=Path, required=True, help="JSON lines: text, wanted, unwanted, category"
    )
    evaluation.add_argument("--texts", type=Path, help="JSON lines: text; for the pseudo-perplexity")
    evaluation.add_argument("--model", help="a version, or a folder; default: the champion")


def _predict(options: argparse.Namespace, settings: Settings) -> int:
    from training.inference.encoder import MASK, MASK_PATTERN, completed, finished

    text = options.text.encode(errors="replace").decode()  # bytes that are not UTF-8 arrive as surrogates
    if not MASK_PATTERN.search(text):
        return fail(options, "There is no [MASK] in that text: put one where the word goes.")
    fill_model = fill_model_of(options.model, settings)
    masks = fill_model.fill([text], top=options.top or settings.shown_words)[0]

    def sequence(mask: int, word: str) -> str:
        """Return the text with a word in one mask, and the others as they are."""
        return completed(finished(text), [word if i == mask else MASK for i in range(len(masks))])

    rows = [
        [
            {**asdict(each), "score": round(each.score, 6), "sequence": sequence(mask, each.word)}
            for each in candidates
        ]
        for mask, candidates in enumerate(masks)
    ]
    if options.json:
        print_json({"version": fill_model.version, "masks": rows})
        return 0
    for row in itertools.chain(*rows):
        sys.stdout.write(f"{row['score']:7.2%}  {row['word']:<20} {row['sequence']}\n")
    return 0


def _evaluate(options: argparse.Namespace, settings: Settings) -> int:
    from training.evaluation.metrics import evaluate, read_suite, read_texts

    cases = read_suite(options.suite)
    texts = read_texts(options.texts) if options.texts else []
    result = evaluate(fill_model_of(options.model, settings), cases, texts)
    if options.json:
        print_json(result)
        return 0
    for group, figures in {"all": result["all"], **result["groups"]}.items():
        sys.stdout.write(
            f"{group:<14}" + "  ".join(f"{name} {value}" for name, value in figures.items()) + "\n"
        )
    if texts:
        sys.stdout.write(f"pseudo-perplexity per word {result['pseudo_perplexity']}\n")
    return 0
