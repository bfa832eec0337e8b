from datetime import UTC, datetime

import discord
import pytest

from bot.answering.vote_adjustment import ShownCandidate, ShownPrediction, ShownSentence
from bot.embeds import replies
from bot.voting.menus import MAX_WORD, words_for_each
from storage.runs import Run
from training.registry.card import Card

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def prediction(*masks: list[tuple[str, float]], votes: int = 0) -> ShownPrediction:
    """What is shown; the bare scores are others, so that it is seen which are read."""
    made = tuple(tuple(ShownCandidate(word, 0.5, share) for word, share in mask) for mask in masks)
    return ShownPrediction(made, "v0007", votes)


def together(*sentences: tuple[str, float]) -> ShownPrediction:
    """Several masks; the lists have the words of the best sentence alone."""
    shown = tuple(ShownSentence(tuple(words.split()), share) for words, share in sentences)
    masks = tuple((ShownCandidate(word, 0.5, 0.3),) for word in shown[0].words)
    return ShownPrediction(masks, "v0007", 0, shown)


def run(status: str = "promoted", **columns: object) -> Run:
    about: dict[str, object] = {"verdict": None, "report": None, "challenger": "v0008"} | columns
    return Run(
        id=3,
        trigger="nightly",
        status=status,
        started_at=NOON,
        finished_at=NOON,
        as_of=NOON,
        retraining_set_hash=None,
        champion="v0007",
        **about,
    )


def values(embed: discord.Embed) -> dict[str, str]:
    return {str(field.name): str(field.value) for field in embed.fields}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain text, good-looking!", "plain text, good-looking!"),
        ("**b** _i_ ~s~ `c` |p|", r"\*\*b\*\* \_i\_ \~s\~ \`c\` \|p\|"),
        ("\\", r"\\"),
        ("[a](b)", r"\[a\]\(b\)"),
        ("<@1> @here #x", r"\<\@1\> \@here \#x"),
        ("https://x.y at 3:15", r"https\://x.y at 3:15"),
        ("- a", r"\- a"),
        ("+ a", r"\+ a"),
        ("10. a", r"10\. a"),
        ("a - b. c", "a - b. c"),
    ],
)
def test_nothing_comes_alive_in_escaped_text(text: str, escaped: str) -> None:
    assert replies.escape(text) == escaped


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert replies.clipped("abcdef", 6) == "abcdef"
    assert replies.clipped("abcdefg", 6) == "abcde…"


def test_a_prediction_shows_sentence_words_scores_and_origin() -> None:
    embed = replies.prediction_embed("a [MASK] b.", prediction([("x", 0.61), ("y", 0.034)]), prediction_id=12)
    assert embed.description == "a **x** b."
    assert values(embed) == {"Best words": "▰▰▰▰▰ **x** · 61%\n▱▱▱▱▱ y · 3.4%"}
    assert embed.footer.text == "Model v0007 · #12 · 👍 👎 rate the bold word"


@pytest.mark.parametrize(("votes", "said"), [(1, "adjusted by 1 vote"), (4, "adjusted by 4 votes")])
def test_an_adjusted_prediction_says_by_how_many_votes(votes: int, said: str) -> None:
    embed = replies.prediction_embed("a [MASK].", prediction([("x", 0.5)], votes=votes), prediction_id=12)
    assert embed.footer.text == f"Model v0007 · #12 · {said} · 👍 👎 rate the bold word"


def test_words_that_are_next_to_impossible_have_empty_bars() -> None:
    embed = replies.prediction_embed("a [MASK].", prediction([("x", 0.0), ("y", 0.0)]), prediction_id=1)
    assert values(embed) == {"Best words": "▱▱▱▱▱ **x** · 0.0%\n▱▱▱▱▱ y · 0.0%"}


def test_words_side_by_side_stay_apart() -> None:
    embed = replies.prediction_embed("[MASK][MASK].", prediction([("x", 0.5)], [("y", 0.5)]), prediction_id=1)
    assert embed.description == "**X** **y**."


def test_the_best_sentences_are_shown_with_their_shares() -> None:
    shown = together(("ice warm", 0.6), ("red light", 0.35), ("red *", 0.034))
    embed = replies.prediction_embed("[MASK] boots are [MASK].", shown, prediction_id=1)
    assert embed.description == "**Ice** boots are **warm**."
    assert values(embed)["Best sentences, all blanks filled together"] == (
        "**Ice** boots are **warm**. · 60%\n**Red** boots are **light**. · 35%\n"
        r"**Red** boots are **\***. · 3.4%"
    )
    assert [field.name for field in embed.fields][1:] == ["Best words for blank 1", "Best words for blank 2"]
    assert str(embed.footer.text).endswith("👍 👎 rate all bold words")


def test_of_a_long_sentence_what_is_next_to_its_blanks_is_listed() -> None:
    text = f"{'so ' * 60}boots are [MASK] and {'very ' * 60}soft [MASK] for {'us ' * 60}."
    shown = together(("ice warm", 0.6), ("red light", 0.4))
    line = values(replies.prediction_embed(text, shown, prediction_id=1))[
        "Best sentences, all blanks filled together"
    ].split("\n")[0]
    assert line == (
        "… so so so so so so so so so boots are **ice** and very very very … very very soft **warm**"
        " for us us us us us us us us us us us … · 60%"
    )


def test_a_lone_sentence_is_no_list() -> None:
    embed = replies.prediction_embed("[MASK] is [MASK].", together(("ice warm", 1.0)), prediction_id=1)
    assert [field.name for field in embed.fields] == ["Best words for blank 1", "Best words for blank 2"]


def test_bars_compare_with_the_likeliest_word_of_the_list() -> None:
    embed = replies.prediction_embed("a [MASK].", prediction([("x", 0.2), ("y", 0.5)]), prediction_id=1)
    assert values(embed)["Best words"] == "▰▰▱▱▱ **x** · 20%\n▰▰▰▰▰ y · 50%"


@pytest.mark.parametrize("word", ["w" * 60, "*" * 20])
@pytest.mark.parametrize("gap", ["*" * 66, "a " * 33, ""])
def test_sentences_of_five_blanks_fit_in_an_embed(word: str, gap: str) -> None:
    text = gap + f"[MASK]{gap}" * 5
    shown = [ShownSentence((word,) * 5, 0.1)] * 3
    masks = tuple(tuple([ShownCandidate(word, 0.2, 0.2)] * 5) for _ in range(5))
    embed = replies.prediction_embed(text, ShownPrediction(masks, "v0007", 3, tuple(shown)), prediction_id=1)
    assert all(len(str(field.value)) <= replies.MAX_FIELD for field in embed.fields)
    assert len(embed) <= 6000


def test_candidates_are_escaped() -> None:
    embed = replies.prediction_embed(
        "a [MASK].", prediction([("*", 0.5), ("@everyone", 0.5)]), prediction_id=1
    )
    assert embed.description == r"a **\***."
    assert r"\@everyone" in values(embed)["Best words"]


def test_the_longest_query_fits_in_an_embed() -> None:
    text = "*" * 1400 + "[MASK]" * 5
    embed = replies.prediction_embed(text, prediction(*[[("w" * 60, 0.2)] * 5] * 5), prediction_id=1)
    assert len(str(embed.description)) <= replies.MAX_DESCRIPTION
    assert len(embed) <= 6000


@pytest.mark.parametrize(
    ("status", "title"),
    [
        ("promoted", "v0008 was promoted"),
        ("rejected", "The new version was not promoted"),
        ("skipped", "No run was needed"),
        ("failed", "The run failed"),
        ("done", "The run is done"),
    ],
)
def test_a_verdict_says_how_the_run_ended(status: str, title: str) -> None:
    embed = replies.verdict_embed(run(status), "Because of *this*.")
    assert embed.title == title
    assert embed.description == r"Because of \*this\*."
    assert embed.footer.text == "Run 3 · nightly"


def test_a_verdict_lists_the_gates_tests() -> None:
    reasons = [
        {"name": "held-out", "passed": True, "text": "few", "has_data": False},
        {"name": "learnt", "passed": True, "text": "better by 3 %"},
        {"name": "latency", "passed": False, "text": "slower [5 ms]"},
    ]
    embed = replies.verdict_embed(run(verdict={"reasons": reasons}), "x")
    assert values(embed)["Tests"].splitlines() == [
        "✗ **It is slower than before at the same precision.** slower \\[5 ms\\]",
        "✓ It learnt what people voted for.",
        "– Too few votes were held out to check it on other sentences.",
    ]


def test_a_failed_runs_plain_reason_is_no_list_of_tests() -> None:
    assert (
        values(replies.verdict_embed(run("failed", verdict={"reasons": ["it was interrupted"]}), "x")) == {}
    )


def test_a_verdict_shows_votes_and_what_changed() -> None:
    report = {
        "votes": 9,
        "voters": 2,
        "judgements": 4,
        "rejected": {"personal_data": 1},
        "changes": [
            {"query": "a [MASK].", "before": ["x", "y"], "after": ["z", "y"]},
            {"query": "b [MASK].", "before": ["x", "y"], "after": ["y", "x"]},
            {"query": "c [MASK].", "before": ["x"], "after": ["x"]},
        ],
    }
    shown = values(
        replies.verdict_embed(run(report=report), "x", shown=("a [MASK].", "b [MASK].", "c [MASK]."))
    )
    assert shown["Votes"] == "9 votes by 2 people"
    assert shown["Judged words"] == "4"
    assert shown["Votes left out"] == r"personal\_data: 1"
    assert shown["What changed"] == "a \\[MASK\\]. − x + z\nb \\[MASK\\]. different order"
    for status, name in (("rejected", "What would have changed"), ("waiting", "What would change")):
        embed = replies.verdict_embed(run(status, report=report), "x", shown=("a [MASK].",))
        assert name in values(embed)


def test_the_verdict_on_a_domain_model_says_how_many_words_are_new() -> None:
    shown = values(replies.verdict_embed(run(report={"added_words": 431, "sources": []}), "x"))
    assert shown == {"New words": "431 words that the model can offer from now on"}


def test_a_query_that_may_not_be_shown_is_not() -> None:
    report = {"changes": [{"query": "secret [MASK].", "before": ["x"], "after": ["y"]}]}
    assert values(replies.verdict_embed(run(report=report), "x")) == {}


def test_an_overlong_verdict_still_fits() -> None:
    reasons = [{"passed": True, "text": "x" * 500}] * 20
    report = {
        "votes": 1,
        "voters": 1,
        "judgements": 1,
        "rejected": {"r" * 900: 1, "s" * 900: 2},
        "changes": [{"query": "q" * 1500, "before": ["x"], "after": ["y"]}] * 9,
    }
    about = run(verdict={"reasons": reasons}, report=report)
    embed = replies.verdict_embed(about, "y" * 9000, shown=("q" * 1500,))
    assert len(embed) <= 6000
    assert all(len(str(field.value)) <= 1024 for field in embed.fields)


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (0, 0, "⏳ loading …"),
        (0, 10, "⏳ loading ▱▱▱▱▱ 0%"),
        (5, 10, "⏳ loading ▰▰▱▱▱ 50%"),
        (10, 10, "⏳ loading ▰▰▰▰▰ 100%"),
        (11, 10, "⏳ loading ▰▰▰▰▰ 100%"),
    ],
)
def test_progress_is_a_bar_and_a_share(done: int, total: int, text: str) -> None:
    assert replies.progress_text("loading", done, total, 7.4) == f"{text} · 7 s"


@pytest.mark.parametrize(
    ("elapsed_s", "left_s", "text"),
    [
        (0.0, 0.2, "1 s, about 1 s left"),
        (90.0, 119.0, "90 s, about 119 s left"),
        (130.0, 3600.0, "2 min, about 60 min left"),
    ],
)
def test_progress_says_how_long_it_still_takes(elapsed_s: float, left_s: float, text: str) -> None:
    assert replies.progress_text("loading", 0, 0, elapsed_s, left_s=left_s).endswith(f" · {text}")


def test_the_longest_name_of_a_base_model_fits() -> None:
    card = Card(version="v0001", kind="base", base="*" * 4000, created_at=NOON)
    embed = replies.model_embed(card, version="v0001", domain=None, precision="int8", notes=[])
    assert len(embed.description or "") == replies.MAX_SENTENCE


@pytest.mark.parametrize("masks", [1, 2, 3, 4, 5])
def test_the_longest_words_fit_where_ten_are_shown(masks: int) -> None:
    shown = words_for_each(masks, shown_words=10)
    words = [("w" * MAX_WORD, 0.01)] * shown
    embed = replies.prediction_embed(
        " ".join(["[MASK]"] * masks), prediction(*[words] * masks), prediction_id=2**40
    )
    assert [len(value.split("\n")) for value in values(embed).values()] == [shown] * masks
    assert all(len(value) < replies.MAX_FIELD for value in values(embed).values())
    assert len(embed) <= 6000
