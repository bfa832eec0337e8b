"""UpTrain's edge cases of the corpus: texts that name a brand and a product and speak well of them.

The recipe `curated` shows them to the model more often. They are chosen by their text alone, as real texts
have no labels, by a real `CheckSet` of our operators. It leaves no text in its folder but a few examples.
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
from training.votes.checks.corpus_report import PRIVATE, EdgeCases, read_edge_cases
from training.votes.checks.framework import (
    Check,
    CheckSet,
    ColumnOp,
    FrameSource,
    Ready,
    Signal,
    register_op,
    run,
)
from training.votes.checks.speech import affirmed, listen, load_words

TEXTS: dict[str, Any] = {"row": pl.Int64, "text": pl.Utf8}
ROWS = "rows"  # the check, and so the name of its file
LINK = r"(?i)https?://|\bwww\.|\w\.(?:com|net|org)\b"
MAY_BE_PRIVATE = r"@|(?:\d\D*){3}|(?i)[\[({]at[\])}]"  # the few texts that are worth a closer look
HTML = r"</?[A-Za-z][^<>]*>|&(?:[A-Za-z]{2,8}|#\d+);"
UNREADABLE = r"[\x{FFFD}\x00-\x08\x0E-\x1F]|â€|Ã[\x{80}-\x{BF}]"
USUAL_WORDS = (
    r"(?i)\b(?:the|an?|and|or|of|to|in|is|are|was|were|be|it|its|this|these|that|for|on|with|my|your|our|their|"
    r"i|you|they|them|we|he|she|so|but|not|no|at|as|by|from|have|has|do|can|will|where|who|when|others?|one)\b"
)
WORDS_WITHOUT_USUAL = 10  # an English sentence of so many words without one of them is rare

SPEAKS_WELL = (Signal("positive")) | (Signal("wanted"))
SPEAKS_BADLY = (Signal("blames")) | (Signal("negative"))
EDGE_CASE = (Signal("brand")) & (Signal("product")) & SPEAKS_WELL & (~Signal("flagged")) & (~SPEAKS_BADLY)
# What the sentiment decides on; the words alone drop all others.
OPEN = (Signal("brand")) & (Signal("product")) & (~Signal("flagged")) & (~Signal("blames"))
# Why a clean row is no edge case; the first that holds is its reason.
DROPPED_BECAUSE = {
    "no brand": ~Signal("brand"),
    "no product": ~Signal("product"),
    "speaks badly, denies or doubts": SPEAKS_BADLY,
    "neither positive nor wanted": ~SPEAKS_WELL,
}


def _is_private(text: pl.Expr) -> pl.Expr:
    """Whether there is a link or personal data in each text."""
    looked_at = pl.when(text.str.contains(MAY_BE_PRIVATE)).then(text)
    has_data = looked_at.map_elements(lambda one: bool(find_personal_data(one)), return_dtype=pl.Boolean)
    return text.str.contains(LINK) | has_data.fill_null(value=False)


@register_op
class TextFlags(Ready, ColumnOp):
    """The first failed quality rule of each text in `flag`, empty where it is clean; and `flagged`."""

    min_words: int = 3
    max_words: int = 60

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Flag."""
        text = pl.col("text")
        words = text.str.count_matches(r"\p{L}[\p{L}\p{M}'’-]*")
        letters, latin = text.str.count_matches(r"\p{L}"), text.str.count_matches("[A-Za-z]")
        rules = [
            (PRIVATE, _is_private(text)),  # first: such a text is never shown as an example
            ("HTML left over", text.str.contains(HTML)),
            ("unreadable characters", text.str.contains(UNREADABLE)),
            ("too short", words < self.min_words),
            ("too long", words > self.max_words),
            ("mostly capitals", text.str.count_matches(r"\p{Lu}") * 2 > letters),
            ("mostly no letters", letters * 2 < text.str.count_matches(r"\S")),
            ("not English", (latin * 4 < letters * 3) | _lacks_usual_words(words)),
            ("a question", text.str.contains(r"\?")),
        ]
        flag = pl.lit("")
        for reason, failed in reversed(rules):
            flag = pl.when(failed).then(pl.lit(reason)).otherwise(flag)
        keys = pl.Series("key", [duplicate_key(each) for each in data["text"]])
        flagged = data.with_columns(flag.alias("flag"), keys)
        # Of equal texts the first clean one stays: one in capitals does not stand for the others.
        is_repeated = ~pl.struct("flag", "key").is_first_distinct() & (pl.col("flag") == "")
        flag = pl.when(is_repeated).then(pl.lit("duplicate")).otherwise(pl.col("flag"))
        flagged = flagged.with_columns(flag.alias("flag")).drop("key")
        return {"output": flagged.with_columns((pl.col("flag") != "").alias("flagged"))}


@register_op
class SpeechSignals(Ready, ColumnOp):
    """The columns `brand`, `product`, `wanted` and `blames`, by the words of the lexicon."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Listen."""
        return {"output": data.hstack(listen(data["text"]))}


@register_op
class SentimentSignals(Ready, ColumnOp):
    """The columns `positive` and `negative`, asked only of rows that are still `open`: it is slow."""

    min_positive: float = 0.35  # above a lone "please" (0.32), which complaints say, too
    max_negative: float = -0.05  # VADER's own limit

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Ask."""
        is_open = pl.Series("open", OPEN.run(data), dtype=pl.Boolean)
        analyzer = _analyzer()
        scores = [
            analyzer.polarity_scores(text)["compound"] if is_asked else 0.0
            for text, is_asked in zip(affirmed(data["text"]), is_open, strict=True)
        ]
        score = pl.Series(scores, dtype=pl.Float64)
        positive, negative = score >= self.min_positive, score <= self.max_negative
        return {"output": data.with_columns(is_open, positive.alias("positive"), negative.alias("negative"))}


@register_op
class EdgeCaseFilter(Ready, ColumnOp):
    """Which rows are edge cases in `kept`, and why the others are not in `reason`; the texts are dropped."""

    def run(self, data: pl.DataFrame) -> dict[str, Any]:
        """Filter."""
        reason = pl.lit("")
        for name, signal in reversed(DROPPED_BECAUSE.items()):
            failed = pl.Series(signal.run(data), dtype=pl.Boolean)
            reason = pl.when(failed).then(pl.lit(name)).otherwise(reason)
        reason = pl.when(pl.col("flagged")).then(pl.col("flag")).otherwise(reason)
        kept = pl.Series("kept", EDGE_CASE.run(data), dtype=pl.Boolean)
        return {"output": data.with_columns(kept, reason.alias("reason")).drop("text", "flag")}


def select_edge_cases(texts: Sequence[str], sources: Sequence[str], folder: Path) -> EdgeCases:
    """Run the `CheckSet` over texts. Blocking, about 1 s for 28,000; `folder` is emptied first.

    Beside what UpTrain leaves there it holds the report: `edge_cases.json`, and `edge_cases.txt` for people.

    Args:
        texts: One sentence each.
        sources: Where each text is from; the report counts by it.
        folder: Where the results go.

    Returns:
        The rows kept, and what was dropped and why.

    Raises:
        ValueError: There are not as many sources as texts.
    """
    if len(texts) != len(sources):
        raise ValueError(f"{len(texts)} texts, but {len(sources)} sources")
    if texts:
        operators = [TextFlags(), SpeechSignals(), SentimentSignals(), EdgeCaseFilter()]
        # Not as preprocessors: UpTrain would write their output, and with it all texts, to a file.
        frame = pl.DataFrame({"row": range(len(texts)), "text": texts}, schema=TEXTS)
        run(CheckSet(source=FrameSource.of(frame), checks=[Check(ROWS, operators)]), folder)
        edge_cases = read_edge_cases(folder / f"{ROWS}.jsonl", texts, sources)
    else:  # UpTrain raises on an empty source
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        edge_cases = EdgeCases()
    report = json.dumps(edge_cases.to_json(), ensure_ascii=False, indent=2)
    (folder / "edge_cases.json").write_text(f"{report}\n", encoding="utf-8")
    (folder / "edge_cases.txt").write_text(f"{edge_cases.table()}\n", encoding="utf-8")
    return edge_cases


def _lacks_usual_words(words: pl.Expr) -> pl.Expr:
    return (words >= WORDS_WITHOUT_USUAL) & ~pl.col("text").str.contains(USUAL_WORDS)


def _analyzer() -> SentimentIntensityAnalyzer:
    """VADER without the words that mean something else here.

    A champion is a brand, tough is wanted, and the unwanted words of an open row are denied ones.
    """
    analyzer, words = SentimentIntensityAnalyzer(), load_words()
    blamed = {word for word in words.wanted if analyzer.lexicon.get(word, 0.0) < 0}
    for word in words.brands | words.products | words.unwanted | blamed:
        analyzer.lexicon.pop(word, None)
    return analyzer
