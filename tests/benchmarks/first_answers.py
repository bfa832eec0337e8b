"""Print what the starter answers to everyday questions, for a person to judge whether it reads naturally.

    python tests/benchmarks/first_answers.py [FOLDER]

FOLDER is a model version; without one the starter is trained, which takes about a minute on two cores. The
questions are in `sentences/first_answers.jsonl`. The first twelve were written before the patterns of the
starter, but among variants of these the one that answered them best was taken; the second twelve were
written when the patterns were nearly final, so they say more about questions of other people.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from training.inference.encoder import completed
from training.inference.fill_model import FillModel
from training.inference.joint_filling import fill_jointly

QUESTIONS = Path(__file__).with_name("sentences") / "first_answers.jsonl"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Question:
    """A sentence with masks; for each mask the words that fit, or nothing if only a person can judge."""

    text: str
    fitting: tuple[frozenset[str], ...] = ()
    list: str = "first"


def questions() -> list[Question]:
    """Read both lists."""
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    return [
        Question(
            row["text"],
            tuple(frozenset(words.split()) for words in row.get("fitting", ())),
            row.get("list", "first"),
        )
        for row in rows
    ]


def answer(model: FillModel, text: str) -> tuple[tuple[str, ...], list[list[str]]]:
    """Return the words that the bot would show in bold, and the best ones of each mask."""
    (found,) = fill_jointly(model, [text], top=SHOWN)
    return found.fillings[0].words, [[candidate.word for candidate in mask] for mask in found.masks]


def trained_starter(folder: Path) -> FillModel:
    """Train the starter as a first start without a base model does, and export it."""
    import torch

    from training.domain.starter import train_starter
    from training.models.writing import write_files
    from training.progress import NoProgress
    from training.registry.versions import Draft
    from training.settings import StarterSettings

    model, _ = train_starter(StarterSettings(), device=torch.device("cpu"), progress=NoProgress())
    return write_files(model, Draft("v0001", folder), precision="auto", shown_words=SHOWN)


def main() -> None:
    """Print a table a list."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        model = FillModel(Path(sys.argv[1])) if sys.argv[1:] else trained_starter(Path(folder))
        if not sys.argv[1:]:
            sys.stdout.write(f"trained in {time.perf_counter() - began:.0f} s\n")
        for question in questions():
            words, best = answer(model, question.text)
            sys.stdout.write(f"{question.list:<7} {completed(question.text, list(words))}\n")
            for mask in best:
                sys.stdout.write(f"{'':<10}{', '.join(mask)}\n")


if __name__ == "__main__":
    main()
