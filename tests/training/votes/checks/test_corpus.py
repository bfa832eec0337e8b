"""The real CheckSet over hand-made, generated and real texts: kept and dropped texts, and the report."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from training.corpus.generator import Split, generate
from training.corpus.readers import read_folder
from training.votes.checks.corpus import EDGE_CASE, select_edge_cases
from training.votes.checks.corpus_report import KEPT, PRIVATE, EdgeCaseReport
from training.votes.checks.speech import load_signal_words

DATA = (Path(__file__).parents[5] / "shared/data").resolve()
GOOD = "Nike shoes are comfortable."
BADLY = "speaks badly, denies or doubts"
NEITHER = "neither positive nor wanted"


class Corpus:
    """Texts through the checks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def select(self, *texts: str, sources: Sequence[str] | None = None) -> EdgeCaseReport:
        return select_edge_cases(texts, sources or ["reviews"] * len(texts), self.folder)

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "rows.jsonl").read_text().splitlines()]

    def outcome(self, text: str) -> str:
        (outcome,) = self.select(text).counts
        return outcome


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path / "runs" / "uptrain")


# What is kept


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "nike shoes are comfortable",
        "My Adidas T-shirt is breathable.",
        "I love my Nike shoes!",
        "I love my Nike shoes 😍",
        "The Nike “Air” shoes are ‘stylish’.",
        "Nike shoes aren’t stiff, they’re comfortable.",
        "Nike shoes are not only comfortable but also stylish.",
        "Nike shoes are far from ugly and very durable.",
        "Nike shoes are stylish and no longer heavy.",
        "Nike shoes are neither heavy nor bulky but comfortable.",
        "Nike shoes are tough.",
        "These are the most comfortable Nike shoes I have ever worn.",
    ],
)
def test_who_names_a_brand_and_a_product_and_speaks_well_is_kept(corpus: Corpus, text: str) -> None:
    assert corpus.outcome(text) == KEPT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("These shoes are comfortable.", "no brand"),
        ("The nikeadidas shoes are comfortable.", "no brand"),
        ("Nike is comfortable to wear.", "no product"),
        ("Nike is great for basketball.", "no product"),
        ("Nike shoes are unfashionable.", BADLY),
        ("Nike shoes are non-durable.", BADLY),
        ("Nike shoes aren’t comfortable.", BADLY),
        ("Nike shoes are stylish but stiff.", BADLY),
        ("Nike shoes are anything except comfortable.", BADLY),
        ("They sold me Nike shoes as durable, which is a lie.", BADLY),
        ("My Nike shoes stopped being waterproof after a week.", BADLY),
        ("I hate these stylish Nike shoes.", BADLY),  # no word of the lexicon's: the sentiment
        ("I ordered shoes from Nike.", NEITHER),
        ("Please send me the Nike shoes.", NEITHER),
        ("A Champion shirt is a shirt.", NEITHER),  # no praise, though VADER thinks so
        ("Are Nike shoes comfortable?", "a question"),
        ("Nike shoes.", "too short"),
        ("", "too short"),
        ("12 34 !!", "too short"),
        (f"Nike shoes are {'very ' * 60}comfortable.", "too long"),
        ("NIKE SHOES ARE Comfortable.", "mostly capitals"),
        ("Nike shoes are ok 1.1.1.1.1.1 +-+-+-+-+-+-+-+-+-+-+", "mostly no letters"),
        ("Nike shoes are <b>comfortable</b>.", "HTML left over"),
        ("Nike shoes &amp; socks are comfortable.", "HTML left over"),
        ("Nike shoes arenâ€™t comfortable.", "unreadable characters"),
        ("Nike shoes are \ufffd comfortable.", "unreadable characters"),
        ("Nike shoes are comfortable, see https://example.org", PRIVATE),
        ("Comfortable Nike shoes on www.example.org now.", PRIVATE),
        ("Comfortable Nike shoes from nike.com, really.", PRIVATE),
        ("Comfortable Nike shoes, ask ann@example.org", PRIVATE),
        ("Comfortable Nike shoes, says @ann here.", PRIVATE),
        ("Comfortable Nike shoes, call +49 (30) 123-4567", PRIVATE),
        ("Кроссовки Nike shoes очень comfortable и красивые.", "not English"),
        ("Nike shoes muy comfortable para correr todos los días con estilo y gran calidad.", "not English"),
    ],
)
def test_a_text_is_dropped_for_the_first_reason_that_holds(corpus: Corpus, text: str, reason: str) -> None:
    edge_cases = corpus.select(text, GOOD)  # and a good one
    assert edge_cases.kept == (1,)
    assert edge_cases.counts == {reason: 1, KEPT: 1}


def test_a_text_that_repeats_an_earlier_one_is_dropped(corpus: Corpus) -> None:
    edge_cases = corpus.select(
        GOOD, "nike SHOES - are comfortable!!", "Nike shoes are comfortable 🙂", "Nike."
    )
    assert edge_cases.kept == (0,)
    assert edge_cases.counts == {KEPT: 1, "duplicate": 2, "too short": 1}


def test_a_flagged_text_does_not_stand_for_its_clean_double(corpus: Corpus) -> None:
    edge_cases = corpus.select("NIKE SHOES ARE COMFORTABLE", GOOD, GOOD)
    assert edge_cases.kept == (1,)
    assert edge_cases.counts == {"mostly capitals": 1, KEPT: 1, "duplicate": 1}


@pytest.mark.parametrize("split", ["train", "test"])
def test_less_than_a_hundredth_of_what_is_kept_of_generated_text_is_negative(
    corpus: Corpus, split: Split
) -> None:
    sentences = generate(3000, seed=3, split=split)
    kept = corpus.select(*(sentence.text for sentence in sentences)).kept
    both = [row["brand"] and row["product"] for row in corpus.rows()]
    praise = [sentences[row].sentiment == "positive" and both[row] for row in range(len(sentences))]
    assert sum(sentences[row].sentiment == "negative" for row in kept) < 0.01 * len(kept)
    assert sum(praise[row] for row in kept) >= 0.4 * sum(praise)


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_same_when_every_complaint_names_a_brand(corpus: Corpus, split: Split) -> None:
    # Few generated complaints name a brand: without this the check above would say little about denial.
    sentences = generate(3000, seed=4, split=split)
    names = "|".join(
        sorted((re.escape(name) for name in load_signal_words().products), key=len, reverse=True)
    )
    product = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])", re.IGNORECASE)
    branded = [product.sub(lambda found: f"Nike {found[0]}", sentence.text) for sentence in sentences]
    kept = corpus.select(*branded).kept
    rows = corpus.rows()
    asked = [
        sentence.sentiment == "negative" and row["brand"] and row["product"]
        for sentence, row in zip(sentences, rows, strict=True)
    ]
    assert sum(asked) > 300
    assert len(kept) > 300
    assert sum(asked[row] for row in kept) < 0.01 * len(kept)


def test_the_label_of_a_generated_sentence_is_not_seen(corpus: Corpus) -> None:
    sentences = [sentence.text for sentence in generate(500, seed=5)]
    assert corpus.select(*sentences).kept == corpus.select(*sentences, sources=["x"] * 500).kept


# The check set


def test_the_sentiment_is_asked_only_where_the_words_leave_it_open(corpus: Corpus) -> None:
    corpus.select("I love shoes.", "I love heavy Nike shoes.", "I love Nike shoes.", "I love Nike shoes.")
    assert [(row["open"], row["positive"]) for row in corpus.rows()] == [
        (False, False),
        (False, False),
        (True, True),
        (False, False),
    ]


def test_rows_keep_their_numbers_and_reasons_agree_with_the_signals(corpus: Corpus) -> None:
    texts = [sentence.text for sentence in generate(800, seed=6)]
    edge_cases = corpus.select(*texts)
    rows = corpus.rows()
    assert [row["row"] for row in rows] == list(range(800))
    assert edge_cases.kept == tuple(row["row"] for row in rows if row["kept"])
    assert all(row["kept"] == (row["reason"] == "") for row in rows)
    assert all(
        row["kept"]
        == (
            row["brand"]
            and row["product"]
            and (row["positive"] or row["wanted"])
            and not (row["flagged"] or row["blames"] or row["negative"])
        )
        for row in rows
    )


def test_the_edge_case_is_a_formula_over_signals() -> None:
    for signal in ("brand", "product", "positive", "wanted", "flagged", "blames", "negative"):
        assert signal in str(EDGE_CASE)


def test_the_run_of_checks_is_recorded_as_uptrain_does(corpus: Corpus) -> None:
    corpus.select(GOOD)
    config = json.loads((corpus.folder / "config.json").read_text())
    (check,) = config["checks"]
    assert [operator["op_name"].split(":")[1] for operator in check["operators"]] == [
        "TextQuality",
        "SpeechSignals",
        "SentimentSignals",
        "EdgeCaseFilter",
    ]


def test_no_text_is_left_but_the_examples(corpus: Corpus) -> None:
    secret = "Nike shoes from Waldstrasse are as comfortable as the ones before."
    corpus.select(secret, GOOD, "Comfortable Nike shoes: ann@example.org", "Nike shoes are ugly.")
    content = "".join(path.read_text() for path in corpus.folder.iterdir())
    assert GOOD in content
    assert "Waldstrasse" not in content
    assert "example.org" not in content


def test_the_environment_is_harmless_and_left_as_it_was(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEED", "abc")
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
    before = dict(os.environ)
    assert corpus.select(GOOD).kept == (0,)
    assert dict(os.environ) == before
    assert not any("a-secret" in path.read_text() for path in corpus.folder.iterdir())


def test_selecting_again_replaces_the_folder_and_gives_the_same(corpus: Corpus) -> None:
    first = corpus.select(GOOD, "I ordered shoes from Nike.")
    (corpus.folder / "old.txt").write_text("old")
    assert corpus.select(GOOD, "I ordered shoes from Nike.") == first
    assert len(corpus.rows()) == 2
    assert not (corpus.folder / "old.txt").exists()


def test_no_texts_at_all(corpus: Corpus) -> None:
    corpus.select(GOOD)
    assert corpus.select() == EdgeCaseReport()
    assert sorted(path.name for path in corpus.folder.iterdir()) == ["edge_cases.json", "edge_cases.txt"]
    assert EdgeCaseReport().to_json()["rows"] == 0
    assert EdgeCaseReport().table().splitlines()[1].split() == ["all", "0", "0", "0", "0.0"]


def test_when_everything_is_dropped(corpus: Corpus) -> None:
    edge_cases = corpus.select("Nike shoes are ugly.", "", "?")
    assert edge_cases.kept == ()
    assert edge_cases.counts == {BADLY: 1, "too short": 2}
    assert edge_cases.to_json()["dropped"] == {"too short": 2, BADLY: 1}
    assert (corpus.folder / "edge_cases.txt").read_text() == f"{edge_cases.table()}\n"


def test_a_source_is_missing(corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="2 texts, but 1 sources"):
        select_edge_cases([GOOD, GOOD], ["reviews"], corpus.folder)


# The report

TEXTS = (
    GOOD,
    "The Adidas socks are soft.",
    "These socks are soft and warm.",
    "Nike shoes are ugly, and heavy besides.",
    "Comfortable Nike shoes: ann@example.org",
)
SOURCES = ("reviews", "generated", "generated", "reviews", "reviews")


def test_counts_by_source_and_signal(corpus: Corpus) -> None:
    edge_cases = corpus.select(*TEXTS, sources=SOURCES)
    assert edge_cases.kept == (0, 1)
    assert edge_cases.by_source == {
        "reviews": {KEPT: 1, BADLY: 1, PRIVATE: 1},
        "generated": {KEPT: 1, "no brand": 1},
    }
    assert edge_cases.signals == {
        "brand": 4,
        "product": 5,
        "wanted": 4,
        "blames": 1,
        "flagged": 1,
        "open": 2,
        "positive": 1,  # "soft" is ours alone
        "negative": 0,
    }


def test_json_and_table_agree(corpus: Corpus) -> None:
    edge_cases = corpus.select(*TEXTS, sources=SOURCES)
    content = json.loads((corpus.folder / "edge_cases.json").read_text(encoding="utf-8"))
    assert content == edge_cases.to_json()
    assert (content["rows"], content["kept"], content["share"]) == (5, 2, 0.4)
    by_source, outcomes, signals = (corpus.folder / "edge_cases.txt").read_text().split("\n\n")
    assert [line.split() for line in by_source.splitlines()[1:]] == [
        ["reviews", "3", "1", "2", "33.3"],
        ["generated", "2", "1", "1", "50.0"],
        ["all", "5", "2", "3", "40.0"],
    ]
    assert [re.split(r"\s{2,}", line)[:2] for line in outcomes.splitlines()[1:]] == [
        [outcome, str(rows)] for outcome, rows in {KEPT: 2, **content["dropped"]}.items()
    ]
    assert [line.split() for line in signals.split("\n")[1:9]] == [
        [signal, str(rows)] for signal, rows in content["signals"].items()
    ]


def test_columns_are_aligned(corpus: Corpus) -> None:
    table = corpus.select(*TEXTS * 300, sources=[*SOURCES] * 300).table()
    for part in table.split("\n\n"):
        header, *lines = part.splitlines()
        end = header.index("rows") + len("rows")
        assert all(line[end - 1].isdigit() and line[end : end + 1].strip() == "" for line in lines)
    assert "1,500" in table


def test_examples_are_short_and_on_one_line(corpus: Corpus) -> None:
    long = f"Nike shoes are great\n\tfor {'running, ' * 9}\u2028and walking."
    edge_cases = corpus.select(long)
    assert edge_cases.examples == {KEPT: f"{' '.join(long.split())[:71]}…"}
    assert (
        len(edge_cases.table().splitlines()) == len(EdgeCaseReport().table().splitlines()) + 9
    )  # a source, 8 signals
    assert corpus.select(long, GOOD).examples == {KEPT: GOOD}


def test_quotes_emoji_and_strange_letters_survive(corpus: Corpus) -> None:
    text = "The \"Nike\" shoes are 'stylish' — été 🙂."
    edge_cases = corpus.select(text)
    assert edge_cases.examples == {KEPT: text}
    assert text in (corpus.folder / "edge_cases.txt").read_text(encoding="utf-8")
    assert (
        text in json.loads((corpus.folder / "edge_cases.json").read_text(encoding="utf-8"))["examples"][KEPT]
    )


@pytest.mark.skipif(not DATA.exists(), reason="the data sets are not here")
def test_the_public_files(corpus: Corpus, tmp_path: Path) -> None:
    texts, _ = read_folder(DATA, cache_dir=tmp_path / "cache")
    edge_cases = corpus.select(*(text.text for text in texts), sources=[text.source for text in texts])
    assert set(edge_cases.by_source) == {"products_2020", "reviews", "products_2022"}
    assert 100 < len(edge_cases.kept) < 0.2 * len(texts)
