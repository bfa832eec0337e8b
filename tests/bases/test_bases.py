"""A base of each family, by one setting, through the whole loop: ask, vote, run, gate, reload, ask.

The models are small ones of the real classes with real kinds of tokenizers, trained until their answers can
be judged. `make test` takes two families, `make test-bases` all.
"""

import re
from pathlib import Path

import pytest
from support.app import running_app, version_of, vote_down
from support.people import Json, Person
from support.trained_bases import FAMILIES, write_trained_base

from bot.sandbox.server import Sandbox
from training.inference.vocabulary import WORD

CHANNEL_ID = Sandbox.channel_id
QUERY = "Nike shoes are very [MASK]"
IN_MAKE_TEST = ("roberta", "mpnet")  # one with a hand-written graph, one without
WITHOUT_FAST_PATH = ("albert", "mpnet")
# Masks first, in the middle, last and twice, and written as some models write them.
QUERIES = (
    "[MASK] shoes are cheap",
    "The [MASK] shoes are warm.",
    "I love these shoes, they are [MASK]",
    "The shoes are [MASK] and [MASK].",
    "Nike shoes are <mask> and cheap",
)
SHOWN = re.compile(r"\S+ (?:\*\*)?(.+?)(?:\*\*)?(?: ★)? · ")  # its bar, a word and its probability


def words_of(reply: Json) -> list[list[str]]:
    """The shown words of each mask, best first."""
    fields = [field["value"].splitlines() for field in reply["embeds"][0]["fields"]]
    shown = [[SHOWN.match(line) for line in lines] for lines in fields if lines[0][0] in "▰▱"]
    return [[found[1].replace("\\", "") for found in mask if found] for mask in shown]


async def verdict_of_a_run(ada: Person) -> Json:
    message = await ada.command(CHANNEL_ID, "!retrain")
    ended = await ada.wait_for_event(
        "MESSAGE_UPDATE",
        predicate=lambda body: body["id"] == message["id"] and bool(body["embeds"]),
        timeout_s=400,
    )
    verdict: Json = ended["embeds"][0]
    return verdict


async def assert_whole_words(ben: Person) -> None:
    """Whatever is asked, each mask gets five words of letters, and the sentence is written as people do."""
    for text in QUERIES:
        reply = await ben.command(CHANNEL_ID, f"!fill {text}")
        masks = words_of(reply)
        assert len(masks) == text.lower().count("mask"), reply
        assert [len(set(mask)) for mask in masks] == [5] * len(masks), reply
        assert all(WORD.fullmatch(word) for mask in masks for word in mask), masks
        sentence = reply["embeds"][0]["description"].replace("**", "")
        assert sentence[0].isupper(), sentence
        assert re.fullmatch(r"[\w,'’-]+(?: [\w,'’-]+)*\.", sentence), sentence


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in IN_MAKE_TEST else pytest.mark.long) for kind in FAMILIES]
)
async def test_a_base_is_asked_voted_on_trained_and_asked_again(kind: str, tmp_path: Path) -> None:
    base = write_trained_base(kind, tmp_path / kind)
    async with (
        running_app(tmp_path / "home", BASE_MODEL=base) as app,
        app.people("ada", "ben", "cleo") as (ada, ben, cleo),
    ):
        about = (await ben.command(CHANNEL_ID, "!model"))["embeds"][0]
        assert ("fast path" in str(about["fields"])) == (kind in WITHOUT_FAST_PATH)
        await assert_whole_words(ben)
        reply = await ben.command(CHANNEL_ID, f"!fill {QUERY}")
        (words,) = words_of(reply)
        assert version_of(reply) == "v0001"

        await vote_down(app, reply, ben, cleo)
        verdict = await verdict_of_a_run(ada)
        assert verdict["title"] == "v0002 was promoted", [field["value"] for field in verdict["fields"]]

        better = await ben.command(CHANNEL_ID, f"!fill {QUERY}")  # the same process: no restart
        assert version_of(better) == "v0002"
        (others,) = words_of(better)
        assert words[0] not in others
        await assert_whole_words(ben)
        assert await app.stop() == 0
