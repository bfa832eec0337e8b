"""The whole loop on German sentences: ask, vote, retrain, reload, ask; the replies are in English."""

import shutil
from pathlib import Path

import pytest
import torch
from support.app import App, running_app
from support.people import Json, Person
from support.wire import eventually
from tokenizers import Tokenizer

from bot.sandbox.server import Sandbox
from training.corpus.language import reading
from training.corpus.lexicon import wanted_words
from training.domain.starter import train_starter
from training.models.writing import write_version
from training.progress import NO_PROGRESS
from training.registry.repair import serve_first_version
from training.registry.versions import Registry
from training.settings import StarterSettings

CHANNEL_ID = Sandbox.channel_id
QUERY = "Nike-Schuhe sind sehr [MASK]"
TINY = StarterSettings(sentences=1_500, steps=30, layers=1, hidden_size=32, inner_size=64, heads=2)


def best_word(reply: Json) -> str:
    """The word in bold."""
    return str(reply["embeds"][0]["description"].split("**")[1])


async def vote_and_retrain(app: App, ada: Person, reply: Json, *voters: Person) -> Json:
    """Reject the best word, run, and return the verdict."""
    for voter in voters:
        await voter.react(reply, "👎")

    async def are_counted() -> bool:
        return app.log().count('"vote.cast"') == len(voters)

    await eventually(are_counted)
    message = await ada.command(CHANNEL_ID, "!retrain")
    ended: Json = await ada.wait_for_event(
        "MESSAGE_UPDATE",
        predicate=lambda body: body["id"] == message["id"] and bool(body["embeds"]),
        timeout_s=400,
    )
    return ended


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a tiny starter of a few German sentences."""
    folder = tmp_path_factory.mktemp("german") / "models"
    registry = Registry(folder)
    with reading("de"):
        model, _ = train_starter(TINY, device=torch.device("cpu"), progress=NO_PROGRESS)
        version = write_version(
            registry, model, kind="starter", base="starter", settings={}, shown_words=5, precision="fp32"
        )
        serve_first_version(registry, version)
    return folder


async def test_a_tiny_german_model_is_asked_voted_on_and_trained(tiny_models: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(tiny_models, home / "models")
    vocabulary = Tokenizer.from_file(str(home / "models" / "v0001" / "tokenizer.json")).get_vocab()
    async with (
        running_app(home, CORPUS_LANGUAGE="de", PRECISION="fp32") as app,
        app.people("ada", "ben") as (ada, ben),
    ):
        explained = await ben.command(CHANNEL_ID, "!help")
        assert f"`!fill {QUERY}`" in explained["embeds"][0]["description"]
        refused = await ben.command(CHANNEL_ID, "!fill")
        assert QUERY in refused["content"]
        reply = await ben.command(CHANNEL_ID, f"!fill {QUERY}")
        assert best_word(reply).lower() in vocabulary
        ended = await vote_and_retrain(app, ada, reply, ben)
        assert "promoted" in ended["embeds"][0]["title"]  # a tiny model may not pass the gate
        fields = {field["name"]: field["value"] for field in ended["embeds"][0]["fields"]}
        assert fields["Votes"] == "1 vote by one person"
        again = await ben.command(CHANNEL_ID, "!fill Größere Schuhe sind [MASK], aber schön.")
        assert "Größere Schuhe sind" in again["embeds"][0]["description"]
        assert await app.stop() == 0


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_the_starter_learns_german_and_a_night_improves_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with (
        running_app(home, timeout_s=900, CORPUS_LANGUAGE="de") as app,
        app.people("ada", "ben") as (ada, ben),
    ):
        reply = await ben.command(CHANNEL_ID, f"!fill {QUERY}")
        rejected = best_word(reply)
        with reading("de"):
            assert rejected in wanted_words()
        ended = await vote_and_retrain(app, ada, reply, ben)
        assert ended["embeds"][0]["title"] == "v0002 was promoted"
        better = await ben.command(CHANNEL_ID, f"!fill {QUERY}")
        assert best_word(better) != rejected
        with reading("de"):
            assert best_word(better) in wanted_words()
        assert await app.stop() == 0
