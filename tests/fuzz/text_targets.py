"""What people type, models answer and runs report, on its way to what Discord shows."""

from datetime import UTC, datetime
from typing import Any

import discord
from fuzz.hostile import ids, long_texts, shares, texts, words
from fuzz.targets import target
from hypothesis import strategies as st
from support.discord_reader import MAX_CONTENT, check_components, check_embed, kinds_in, read

from bot.answering.queries import parse_query
from bot.answering.vote_adjustment import ShownCandidate, ShownPrediction, ShownSentence
from bot.embeds import replies
from bot.errors import QueryError
from bot.voting.menus import rating_view, standing_text, take_back_view
from storage.people.personal_data import mask_personal_data
from storage.runs import Run
from storage.votes.menu_votes import Standing
from training.inference.encoder import MASK, completed
from training.registry.card import Card

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARKUP_OF_THE_BOT = {"bold", "time"}
MAX_CHARS, MAX_MASKS = 1500, 5  # the most that the settings allow


def told(sentence: str, *, also: set[str]) -> None:
    """A reply without an embed."""
    assert 0 < len(sentence) <= MAX_CONTENT
    assert set(read(sentence)[1]) <= also


@target(
    "queries",
    checked="a query that holds, or an error whose text is a good reply; no personal data is stored",
    inputs=380_000,
    quick=500,
    text=long_texts,
    max_chars=st.sampled_from((20, 400, MAX_CHARS)),
    max_masks=st.integers(1, MAX_MASKS),
)
def parsed(text: str, max_chars: int, max_masks: int) -> None:
    try:
        query = parse_query(text, max_chars=max_chars, max_masks=max_masks)
    except QueryError as error:
        told(str(error), also={"code"})
        return
    assert 1 <= query.masks == query.text.count(MASK) <= max_masks
    assert len(query.text) <= max_chars + 1  # its period
    query.text.encode()
    assert "\0" not in query.text
    assert "\n" not in query.text
    assert query.stored.count(MASK) == query.masks
    assert mask_personal_data(query.stored) == query.stored
    again = parse_query(query.text, max_chars=max_chars + 1, max_masks=max_masks)
    assert again == query, "parsing twice is another query"


@target(
    "escaping",
    checked="shown as it was typed, and no markup or mention is active",
    inputs=100_000,
    text=texts,
)
def escaped(text: str) -> None:
    assert read(replies.escape(text)) == (text, [])


@st.composite
def shown_predictions(draw: st.DrawFn) -> tuple[str, ShownPrediction]:
    """A query as it was parsed, and any words for its masks."""
    pieces = draw(st.lists(texts, min_size=2, max_size=6))
    try:
        query = parse_query(
            MASK.join([f"a{pieces[0]}", *pieces[1:]]), max_chars=MAX_CHARS, max_masks=MAX_MASKS
        )
    except QueryError:
        query = parse_query("Nike shoes are very [MASK]", max_chars=MAX_CHARS, max_masks=MAX_MASKS)
    candidate = st.builds(ShownCandidate, words, shares, shares)
    mask = st.lists(candidate, min_size=1, max_size=5, unique_by=lambda one: one.word).map(tuple)
    masks = draw(st.tuples(*[mask] * query.masks))
    sentence = st.builds(ShownSentence, st.tuples(*[words] * query.masks), shares)
    sentences = draw(st.lists(sentence, max_size=3).map(tuple)) if query.masks > 1 else ()
    votes = draw(st.integers(0, 10**6))
    return query.text, ShownPrediction(masks, "v0007", votes, sentences)


@target(
    "replies",
    checked="within Discord's limits; the sentence is shown as it is, the best words alone are bold",
    inputs=100_000,
    asked=shown_predictions(),
    prediction_id=ids,
)
def replied(asked: tuple[str, ShownPrediction], prediction_id: int) -> None:
    text, prediction = asked
    embed = replies.prediction_embed(text, prediction, prediction_id=prediction_id)
    check_embed(embed)
    shown, kinds = read(embed.description or "")
    assert kinds == ["bold"] * len(prediction.masks)
    best = [mask[0].word for mask in prediction.masks]
    assert "".join(shown.split()) == "".join(completed(text, best).split())
    for field in embed.fields[len(embed.fields) - len(prediction.masks) :]:
        assert read(str(field.value))[1] == ["bold"]
    offered = [(mask, one.word) for mask, ranked in enumerate(prediction.masks) for one in ranked]
    check_components(rating_view(prediction_id, offered).to_components())
    check_components(take_back_view(prediction_id).to_components())


@target(
    "votes that stand",
    checked="within Discord's limits, and no markup or mention is active",
    inputs=30_000,
    liked=st.lists(st.tuples(st.integers(0, 4), words), max_size=25).map(tuple),
    disliked=st.lists(st.tuples(st.integers(0, 4), words), max_size=25).map(tuple),
    is_counted=st.booleans(),
)
def stood(liked: tuple[Any, ...], disliked: tuple[Any, ...], is_counted: bool) -> None:
    text = standing_text(Standing(liked, disliked, is_counted=is_counted), masks=5)
    text = replies.clipped(text, MAX_CONTENT)
    assert set(read(text)[1]) <= {"code"}, text  # `optin`
    check_components(rating_view(1, [*dict.fromkeys([*liked, *disliked])] or [(0, "good")]).to_components())


reasons = st.fixed_dictionaries(
    {
        "name": st.sampled_from(("learnt", "drift", "held-out", "rolled back")) | texts,
        "passed": st.booleans(),
        "text": texts,
        "has_data": st.booleans(),
    }
)
changes = st.fixed_dictionaries(
    {
        "query": long_texts.filter(str.strip),
        "before": st.lists(words, max_size=5),
        "after": st.lists(words, max_size=5),
    }
)
counts = st.dictionaries(words, st.integers(1, 10**6), max_size=20)
reports = st.none() | st.fixed_dictionaries(
    {
        "votes": st.integers(0, 10**9),
        "voters": st.integers(0, 10**9),
        "judgements": st.integers(0, 10**9),
        "changes": st.lists(changes, max_size=6),
        "rejected": st.dictionaries(texts, st.integers(1, 999), max_size=9),
        "added_words": st.integers(0, 99),
    },
    optional={"moved_words": st.fixed_dictionaries({"came": counts, "went": counts})},
)
verdicts = st.fixed_dictionaries({"reasons": st.lists(reasons, max_size=14) | st.lists(texts, max_size=3)})
runs = st.builds(
    Run,
    id=ids,
    trigger=st.sampled_from(("nightly", "retrain", "domain", "forget")),
    status=st.sampled_from(("promoted", "rejected", "skipped", "failed", "running")),
    started_at=st.just(NOON),
    finished_at=st.just(NOON),
    as_of=st.just(NOON),
    retraining_set_hash=st.none(),
    champion=st.sampled_from(("v0001", None)),
    challenger=st.sampled_from(("v0002", None)),
    verdict=st.none() | verdicts,
    report=reports,
)
cards = st.builds(
    Card,
    version=st.just("v0007"),
    kind=st.sampled_from(("base", "starter", "domain", "night")),
    base=long_texts.map(lambda text: text.encode(errors="replace").decode()),
    created_at=st.just(NOON),
    parent=st.sampled_from((None, "v0001")),
    verdict=st.just({}) | verdicts,
)


def check(embed: discord.Embed, *, also: frozenset[str] = frozenset()) -> None:
    """Within the limits, and nothing alive but what the bot makes so."""
    check_embed(embed)
    alive = set(kinds_in(embed)) - MARKUP_OF_THE_BOT - also
    assert not alive, (alive, embed.to_dict())


@target(
    "reports on runs",
    checked="within Discord's limits, and no markup or mention is active",
    inputs=20_000,
    run=runs,
    card=cards,
    sentence=long_texts,
    notes=st.lists(texts.filter(str.strip), max_size=2),
)
def reported(run: Run, card: Card, sentence: str, notes: list[str]) -> None:
    shown = {change["query"] for change in (run.report or {}).get("changes", ())}
    check(replies.verdict_embed(run, sentence, shown=shown))
    check(replies.model_embed(card, version="v0007", domain=None, precision="int8", notes=notes))
    check(replies.notice_embed(sentence))


@target(
    "progress",
    checked="a line that a child told is a line that can be shown",
    inputs=10_000,
    step=long_texts,
    done=st.integers(0, 10**12),
    total=st.integers(0, 10**12),
    left_s=st.none() | st.floats(0, 1e9),
)
def progressed(step: str, done: int, total: int, left_s: float | None) -> None:
    assert read(replies.progress_text(step, done, total, 3.0, left_s=left_s))[1] == []
