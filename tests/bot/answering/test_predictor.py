import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.wire import QUERY

from bot.answering import team_words
from bot.answering.predictor import CANDIDATES, Prediction, Predictor
from bot.answering.team_words import TeamWords
from bot.errors import BusyError
from storage.database import Database
from storage.team_words import Kind, TeamWord, change_word
from training.errors import CorruptVersionError, QueryTooLongError, UnknownVersionError
from training.inference.fill_model import FillModel
from training.inference.joint_filling import Unsaid, fill_jointly
from training.inference.loading import load
from training.inference.session import Answered
from training.registry.versions import Registry


@pytest.fixture(scope="session")
def models(models_folder: Path) -> dict[str, FillModel]:
    return {version: FillModel(models_folder / version) for version in ("v0001", "v0002")}


@pytest.fixture
async def predictor(models: dict[str, FillModel]) -> AsyncIterator[Predictor]:
    predictor = Predictor(models["v0001"], max_waiting=250)
    yield predictor
    await predictor.close()


def shown(prediction: Prediction) -> list[list[tuple[str, float]]]:
    return [[(c.word, round(c.score, 4)) for c in mask] for mask in prediction.masks]


async def test_the_best_words_of_the_model_are_predicted(
    predictor: Predictor, models: dict[str, FillModel]
) -> None:
    prediction = await predictor.predict(QUERY)
    expected = models["v0001"].fill([QUERY], top=CANDIDATES)
    assert prediction.masks == tuple(tuple(mask) for mask in expected[0])
    assert prediction.model_version == "v0001"
    assert prediction.latency_ms > 0


async def test_queries_asked_together_are_answered_each_on_its_own(predictor: Predictor) -> None:
    queries = [f"shoes number {'very ' * n}are [MASK] and [MASK]"[:60] + " [MASK]" for n in range(10)]
    together = await asyncio.gather(*(predictor.predict(query) for query in queries))
    for query, prediction in zip(queries, together, strict=True):
        fresh = Predictor(predictor._model)
        assert shown(await fresh.predict(query)) == shown(prediction)
        await fresh.close()


async def test_several_masks_are_filled_together(predictor: Predictor, models: dict[str, FillModel]) -> None:
    text = "The [MASK] shoes are [MASK]"
    prediction = await predictor.predict(text)
    (expected,) = fill_jointly(models["v0001"], [text], top=CANDIDATES)
    assert prediction.masks == expected.masks
    assert prediction.sentences == expected.fillings


async def test_a_single_mask_has_no_sentences(predictor: Predictor) -> None:
    assert (await predictor.predict(QUERY)).sentences == ()


async def test_words_that_must_not_be_said_make_another_prediction(predictor: Predictor) -> None:
    text = "The [MASK] shoes are [MASK]"
    first = await predictor.predict(text)
    best = frozenset(enumerate(first.sentences[0].words))
    other = await predictor.predict(text, unsaid=best)
    assert not set(enumerate(other.sentences[0].words)) & best
    assert (await predictor.predict(text)).sentences == first.sentences


async def test_sentences_asked_again_are_not_computed_again(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "The [MASK] shoes are [MASK]"
    first = await predictor.predict(text)
    monkeypatch.setattr(FillModel, "log_probabilities", None)
    assert (await predictor.predict(text)).sentences == first.sentences


async def test_a_query_asked_again_is_not_computed_again(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await predictor.predict(QUERY)
    monkeypatch.setattr(FillModel, "fill", None)
    assert (await predictor.predict(QUERY)).masks == first.masks


async def test_a_reload_forgets_what_the_old_version_said(
    predictor: Predictor, models: dict[str, FillModel]
) -> None:
    old = await predictor.predict(QUERY)
    await predictor.reload(models["v0002"])
    new = await predictor.predict(QUERY)
    assert (old.model_version, new.model_version) == ("v0001", "v0002")
    assert shown(old) != shown(new)
    await predictor.reload(models["v0001"])
    assert shown(await predictor.predict(QUERY)) == shown(old)


async def test_no_query_fails_while_versions_are_swapped(
    predictor: Predictor, models: dict[str, FillModel]
) -> None:
    """200 queries, eight in flight, and twenty reloads: each answer is the one of the version it names."""
    queries = [f"shoes {n} are [MASK]" for n in range(50)] * 4
    expected = {
        version: {query: model.fill([query], top=5)[0] for query in queries[:50]}
        for version, model in models.items()
    }

    places = asyncio.Semaphore(8)

    async def ask(number: int, query: str) -> Prediction:
        async with places:
            if number % 10 == 0:  # while seven others are in flight
                await predictor.reload(models[("v0002", "v0001")[number // 10 % 2]])
            return await predictor.predict(query)

    predictions = await asyncio.gather(*(ask(n, q) for n, q in enumerate(queries)))
    assert {p.model_version for p in predictions} == {"v0001", "v0002"}
    for query, prediction in zip(queries, predictions, strict=True):
        said = [
            (c.word, pytest.approx(c.score, rel=1e-4)) for c in expected[prediction.model_version][query][0]
        ]
        assert [(c.word, c.score) for c in prediction.masks[0][:5]] == said  # further down they are too alike


async def test_a_query_too_long_for_the_model_spoils_no_batch(predictor: Predictor) -> None:
    results = await asyncio.gather(
        predictor.predict(QUERY), predictor.predict("nice " * 60 + "[MASK]"), return_exceptions=True
    )
    assert isinstance(results[0], Prediction)
    assert isinstance(results[1], QueryTooLongError)


async def test_more_than_may_wait_is_refused(predictor: Predictor) -> None:
    asked = (predictor.predict(f"shoes {number} are [MASK]") for number in range(400))
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(result) for result in results} == {Prediction, BusyError}


async def test_loading_verifies_the_files(tmp_path: Path, home: Path) -> None:
    registry = Registry(home / "models")
    assert (load(registry, "v0002")).version == "v0002"
    with pytest.raises(UnknownVersionError):
        load(registry, "v0009")
    (home / "models" / "v0002" / "vocabulary.json").write_text("{}")
    with pytest.raises(CorruptVersionError, match=r"vocabulary\.json is not what was written"):
        load(registry, "v0002")


async def test_words_denied_during_a_reload_are_not_offered_by_the_new_version(
    predictor: Predictor, models: dict[str, FillModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models["v0002"]
    best = model.fill([QUERY], top=1)[0][0][0].word
    is_begun, may_go_on, real = threading.Event(), threading.Event(), model.offered_without

    def slow(words: Iterable[str]) -> npt.NDArray[np.int64]:
        offered = real(words)
        is_begun.set()
        assert may_go_on.wait(10)
        return offered

    monkeypatch.setattr(model, "offered_without", slow)
    reload = asyncio.create_task(predictor.reload(model))
    await asyncio.to_thread(is_begun.wait, 10)
    await predictor.deny([best])
    may_go_on.set()
    await reload
    prediction = await predictor.predict(QUERY)
    assert prediction.model_version == "v0002"
    assert best not in [candidate.word for candidate in prediction.masks[0]]
    await predictor.deny(())


async def test_an_answer_from_before_a_word_was_allowed_is_not_kept(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = (await predictor.predict(QUERY)).masks[0][0].word
    await predictor.deny([best])
    fill = predictor._session.fill

    async def allow_meanwhile(text: str, unsaid: Unsaid, *, masks: int) -> Answered:
        answered = await fill(text, unsaid, masks=masks)
        await predictor.deny(())
        return answered

    with monkeypatch.context() as patch:
        patch.setattr(predictor._session, "fill", allow_meanwhile)
        await predictor.predict(QUERY)
    assert (await predictor.predict(QUERY)).masks[0][0].word == best


async def test_of_two_readings_of_the_denied_words_the_later_one_stands(
    predictor: Predictor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_begun, may_go_on, real = asyncio.Event(), asyncio.Event(), team_words.read_words

    async def slow_at_first(database: Database, kind: Kind) -> list[TeamWord]:
        read = await real(database, kind)
        if not is_begun.is_set():
            is_begun.set()
            await may_go_on.wait()
        return read

    monkeypatch.setattr(team_words, "read_words", slow_at_first)
    now = datetime.now(UTC)
    await change_word(database, "denied", "ugly", is_added=True, by=1, champion="v0001", now=now)
    team = TeamWords(database, predictor)
    first = asyncio.create_task(team.load())
    await is_begun.wait()
    await change_word(database, "denied", "ugly", is_added=False, by=1, champion="v0001", now=now)
    second = asyncio.create_task(team.load())
    may_go_on.set()
    await asyncio.gather(first, second)
    assert predictor.denied == frozenset()
