"""The whole loop, with the bot and the training process as people run them.

Ask, vote, retrain, reload, roll back; once from a compact model and once from what the hub's cache holds of
`distilbert-base-uncased`.
"""

import json
import shutil
import string
from pathlib import Path

import pytest
from support.app import App, running_app, train, version_of, vote_down
from support.people import Json, Person

from bot.sandbox.server import Sandbox

CHANNEL_ID = Sandbox.channel_id
QUERY = "Nike shoes are very [MASK]"
VOCABULARY = 30_522


def top_word(reply: Json) -> str:
    """The word in bold."""
    return reply["embeds"][0]["description"].split("**")[1].lower()


async def retrain(ada: Person) -> list[Json]:
    """Start a run and follow its message to the verdict. Returns every state of that message."""
    message = await ada.command(CHANNEL_ID, "!retrain")
    await ada.wait_for_event(
        "MESSAGE_UPDATE",
        predicate=lambda body: body["id"] == message["id"] and bool(body["embeds"]),
        timeout_s=200,
    )
    return [
        message,
        *(body for name, body in ada.events if name == "MESSAGE_UPDATE" and body["id"] == message["id"]),
    ]


async def predicted(app: App, **settings: object) -> tuple[str, list[str]]:
    """The champion's version and its five best words, as the command line says."""
    code, out, error = await train(app.home, "predict", "--json", "--top", "5", QUERY, **settings)
    assert code == 0, error
    answer = json.loads(out)
    return answer["version"], [candidate["word"] for candidate in answer["masks"][0]]


async def test_votes_make_a_better_model_and_a_rollback_stays(compact_models: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(compact_models, home / "models")
    async with running_app(home) as app, app.people("ada", "ben", "cleo") as (ada, ben, cleo):
        reply = await ben.command(CHANNEL_ID, f"!fill {QUERY}")
        unwanted = top_word(reply)
        assert version_of(reply) == "v0001"
        assert unwanted in (await predicted(app))[1]
        await vote_down(app, reply, ben, cleo)

        states = await retrain(ada)
        verdict = states[-1]["embeds"][0]
        assert verdict["title"] == "v0002 was promoted", [f["value"] for f in verdict["fields"]]
        assert {"name": "Votes", "value": "2 votes by 2 people", "inline": True} in verdict["fields"]
        progress = [state["content"] for state in states[:-1]]
        assert len(set(progress)) > 2, progress  # which steps are seen depends on how long they take

        better = await ben.command(CHANNEL_ID, f"!fill {QUERY}")  # the same process: no restart
        assert version_of(better) == "v0002"
        assert top_word(better) != unwanted
        version, words = await predicted(app)
        assert version == "v0002"
        assert unwanted not in words

        assert (await ada.command(CHANNEL_ID, "!rollback"))["content"].startswith("**v0001** answers again.")
        back = await ben.command(CHANNEL_ID, f"!fill {QUERY}")
        assert version_of(back) == "v0001"
        assert top_word(back) != unwanted, "the votes on this very sentence still count at once"
        assert unwanted in (await predicted(app))[1]

        code, out, _ = await train(home, "run", "--trigger", "nightly", "--json")
        night = json.loads(out)
        assert (code, night["status"]) == (0, "skipped")
        assert "paused since the rollback" in night["sentence"]
        assert (await predicted(app))[0] == "v0001"
        assert (await ada.command(CHANNEL_ID, "!resume"))["content"].startswith("Nightly promotion is on")
        assert await app.stop() == 0


def vocabulary() -> list[str]:
    """30,522 entries in the order of BERT's own: special tokens and [unused…], signs, words, pieces."""
    from training.corpus.generator import generate

    entries = ["[PAD]", *(f"[unused{n}]" for n in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    entries += [f"[unused{n}]" for n in range(99, 994)]
    entries += [*string.punctuation, *string.digits, *string.ascii_lowercase]
    words = {word for sentence in generate(3000, seed=1) for word in sentence.text.lower().split()}
    entries += sorted(word for word in words if word.isalpha() and len(word) > 1)
    entries += [f"##{letter}" for letter in string.ascii_lowercase + string.digits]
    letters = "bdfgklmnprst"
    filler = (
        f"{a}{b}o{c}{d}u{e}"
        for a in letters
        for b in "aei"
        for c in letters
        for d in letters
        for e in letters
    )
    known = set(entries)
    while len(entries) < VOCABULARY:
        if (word := next(filler)) not in known:
            entries.append(word)
    return entries


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HF_HOME with `distilbert-base-uncased` as on the hub: a vocabulary of its size, random weights."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    hf_home = tmp_path_factory.mktemp("hf_home")
    repository = hf_home / "hub" / "models--distilbert-base-uncased"
    revision = "12040accade4e8a0f71eabdb258fecc2e7e948be"
    snapshot = repository / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    (snapshot / "vocab.txt").write_text("\n".join(vocabulary()) + "\n")
    BertWordPieceTokenizer(str(snapshot / "vocab.txt"), lowercase=True).save(str(snapshot / "tokenizer.json"))
    (snapshot / "tokenizer_config.json").write_text('{"do_lower_case": true, "model_max_length": 512}')
    torch.manual_seed(0)
    config = DistilBertConfig(vocab_size=VOCABULARY, n_layers=2, dim=64, hidden_dim=128, n_heads=2)
    DistilBertForMaskedLM(config).save_pretrained(snapshot)
    return hf_home


@pytest.mark.long
async def test_the_default_base_model_comes_from_the_hubs_cache(hub_cache: Path, tmp_path: Path) -> None:
    cache = {"HF_HOME": str(hub_cache)}
    async with (
        running_app(tmp_path / "home", env=cache) as app,
        app.people("ada", "ben", "cleo") as (ada, ben, cleo),
    ):
        about = await ben.command(CHANNEL_ID, "!model")
        assert about["embeds"][0]["description"] == "The base model distilbert-base-uncased, unchanged"
        reply = await ben.command(CHANNEL_ID, f"!fill {QUERY}")
        await vote_down(app, reply, ben, cleo)
        verdict = (await retrain(ada))[-1]["embeds"][0]
        # It learns from the base; whether that is worth promoting is chance with random weights.
        assert verdict["title"] in ("v0002 was promoted", "The new version was not promoted"), verdict
