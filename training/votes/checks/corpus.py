"""UpTrain's edge cases of the corpus: texts that name a brand and a product and praise them.

The recipe `curated` shows them to the model more often. They are selected by their text alone, since real
texts have no labels, with an UpTrain `CheckSet`. Only a few example texts are written to its folder.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from storage.people.personal_data import find_personal_data
from training.corpus.cleaning import duplicate_key
from training.corpus.language import grammar, language
from training.votes.checks.corpus_report import PRIVATE, EdgeCaseReport, read_edge_cases
from training.votes.checks.framework import (
    Check,
    CheckSet,
    ColumnOp,
    FrameSource,
    NoSetup,
    Signal,
    first_reason,
    register_op,
    run,
)
from training.votes.checks.speech import load_signal_words, speech_signals, without_denials

TEXTS: dict[str, Any] = {"row": pl.Int64, "text": pl.Utf8}
ROWS = "rows"  # name of the check, and so of its file
LINK = r"(?i)https?://|\bwww\.|\w\.(?:com|net|org)\b"
MAY_BE_PRIVATE = r"@|(?:\d\D*){3}|(?i)[\[({]at[\])}]"  # a cheap filter before the slow search in Python
HTML = r"</?[A-Za-z][^<>]*>|&(?:[A-Za-z]{2,8}|#\d+);"
UNREADABLE = r"[\x{FFFD}\x00-\x08\x0E-\x1F]|â€|Ã[\x{80}-\x{BF}]"
WORDS_WITHOUT_USUAL = 10  # sentences this long rarely have none of the usual words

SPEAKS_WELL = (Signal("positive")) | (Signal("wanted"))
SPEAKS_BADLY = (Signal("blames")) | (Signal("negative"))
EDGE_CASE = (Signal("brand")) & (Signal("product")) & SPEAKS_WELL & (~Signal("flagged")) & (~SPEAKS_BADLY)
# Rows whose sentiment is computed; the word lists alone already drop all others.
OPEN = (Signal("brand")) & (Signal("product")) & (~Signal("flagged")) & (~Signal("blames"))
# Why a clean row is not an edge case; the first signal that holds is its reason.
DROPPED_BECAUSE = {
    "no brand": ~Signal("brand"),
    "no product": ~Signal("product"),
    "speaks badly, denies or doubts": SPEAKS_BADLY,
    "neither positive nor wanted": ~SPEAKS_WELL,
}


def _is_private(text: pl.Expr) -> pl.Expr:
    """Whether each text contains a link or personal data."""
    suspects = pl.when(text.str.contains(MAY_BE_PRIVATE)).then(text)
    has_data = suspects.map_elements(lambda one: bool(find_personal_data(one)), return_dtype=pl.Boolean)
    return text.str.contains(LINK) | has_data.fill_null(value=False)


@register_op
class TextQuality(NoSetup, ColumnOp):
    """Adds `flag`, the first quality rule that a text fails (empty for a clean text), and `flagged`."""

    min_words: int = 3
    max_words: int = 60

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Add the columns."""
        text = pl.col("text")
        words = text.str.count_matches(r"\p{L}[\p{L}\p{M}'’-]*")
        letters = text.str.count_matches(r"\p{L}")
        rules = [
            (PRIVATE, _is_private(text)),  # first, so that such a text is never shown as an example
            ("HTML left over", text.str.contains(HTML)),
            ("unreadable characters", text.str.contains(UNREADABLE)),
            ("too short", words < self.min_words),
            ("too long", words > self.max_words),
            ("mostly capitals", text.str.count_matches(r"\p{Lu}") * 2 > letters),
            ("mostly no letters", letters * 2 < text.str.count_matches(r"\S")),
            *_another_language(words),
            ("a question", text.str.contains(r"\?")),
        ]
        keys = pl.Series("key", [duplicate_key(each) for each in data["text"]])
        flagged = data.with_columns(first_reason(rules).alias("flag"), keys)
        # The first clean one of equal texts stays, so that one in capitals does not drop the others.
        is_repeated = ~pl.struct("flag", "key").is_first_distinct() & (pl.col("flag") == "")
        flag = pl.when(is_repeated).then(pl.lit("duplicate")).otherwise(pl.col("flag"))
        flagged = flagged.with_columns(flag.alias("flag")).drop("key")
        return {"output": flagged.with_columns((pl.col("flag") != "").alias("flagged"))}


@register_op
class SpeechSignals(NoSetup, ColumnOp):
    """Adds `brand`, `product`, `wanted` and `blames`; see `speech_signals`."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Add the columns."""
        return {"output": data.hstack(speech_signals(data["text"]))}


@register_op
class SentimentSignals(NoSetup, ColumnOp):
    """Adds `positive` and `negative`, computed only for rows that are still `open`, since VADER is slow."""

    min_positive: float = 0.35  # above a lone "please" (0.32), which complaints contain, too
    max_negative: float = -0.05  # VADER's own limit

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Add the columns."""
        is_open = pl.Series("open", OPEN.run(data), dtype=pl.Boolean)
        score = pl.Series([0.0] * len(data), dtype=pl.Float64)
        if language().code == "en":  # VADER knows English alone; elsewhere the word lists decide
            analyzer = _analyzer()
            scores = [
                analyzer.polarity_scores(text)["compound"] if is_asked else 0.0
                for text, is_asked in zip(without_denials(data["text"]), is_open, strict=True)
            ]
            score = pl.Series(scores, dtype=pl.Float64)
        positive, negative = score >= self.min_positive, score <= self.max_negative
        return {"output": data.with_columns(is_open, positive.alias("positive"), negative.alias("negative"))}


@register_op
class EdgeCaseFilter(NoSetup, ColumnOp):
    """Adds `kept`, and `reason` for the other rows, and drops the texts."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Replace the columns."""
        reasons = [
            (name, pl.Series(signal.run(data), dtype=pl.Boolean)) for name, signal in DROPPED_BECAUSE.items()
        ]
        reason = pl.when("flagged").then("flag").otherwise(first_reason(reasons))
        kept = pl.Series("kept", EDGE_CASE.run(data), dtype=pl.Boolean)
        return {"output": data.with_columns(kept, reason.alias("reason")).drop("text", "flag")}


def select_edge_cases(texts: Sequence[str], sources: Sequence[str], folder: Path) -> EdgeCaseReport:
    """Select the edge cases among texts. Blocking, about 1 s for 28,000 texts; `folder` is emptied first.

    The report is written to `edge_cases.json` and, for people, to `edge_cases.txt`.

    Args:
        texts: one sentence each.
        sources: the source of each text, by which the report counts.
        folder: where to write the results.

    Raises:
        ValueError: `texts` and `sources` differ in length.
    """
    if len(texts) != len(sources):
        raise ValueError(f"{len(texts)} texts, but {len(sources)} sources")
    if texts:
        operators = [TextQuality(), SpeechSignals(), SentimentSignals(), EdgeCaseFilter()]
        # Not as preprocessors: UpTrain would write their output with all texts to a file.
        frame = pl.DataFrame({"row": range(len(texts)), "text": texts}, schema=TEXTS)
        run(CheckSet(source=FrameSource.of(frame), checks=[Check(ROWS, operators)]), folder)
        edge_cases = read_edge_cases(folder / f"{ROWS}.jsonl", texts, sources)
    else:  # UpTrain raises on an empty source
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        edge_cases = EdgeCaseReport()
    report = json.dumps(edge_cases.to_json(), ensure_ascii=False, indent=2)
    (folder / "edge_cases.json").write_text(f"{report}\n", encoding="utf-8")
    (folder / "edge_cases.txt").write_text(f"{edge_cases.table()}\n", encoding="utf-8")
    return edge_cases


def _another_language(words: pl.Expr) -> list[tuple[str, pl.Expr]]:
    """The rule against other languages than the corpus's; none if its usual words are not known."""
    rules = grammar()
    if not rules.usual_words:
        return []
    text, usual = pl.col("text"), rf"(?i)\b(?:{'|'.join(sorted(rules.usual_words))})\b"
    is_foreign = text.str.count_matches("[A-Za-z]") * 4 < text.str.count_matches(r"\p{L}") * 3
    lacks_usual = (words >= WORDS_WITHOUT_USUAL) & ~text.str.contains(usual)
    return [(f"not {rules.name}", is_foreign | lacks_usual)]


def _analyzer() -> SentimentIntensityAnalyzer:
    """VADER without the words that have another meaning here.

    "Champion" is a brand, "tough" is wanted, and all unwanted words of an open row are denied.
    """
    analyzer, words = SentimentIntensityAnalyzer(), load_signal_words()
    blamed = {word for word in words.wanted if analyzer.lexicon.get(word, 0.0) < 0}
    for word in words.brands | words.products | words.unwanted | blamed:
        analyzer.lexicon.pop(word, None)
    return analyzer
