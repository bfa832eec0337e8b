"""`!words` says what a run would learn from the same votes, of sentences that its readers may see."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.ballots import NOON, ask, minutes, opt_out, vote
from support.people import Person
from support.sandbox_world import add_channel
from support.wire import EPHEMERAL, QUERY, Wire, fields_of, settings_for, voted

from bot.features.words import rated_words, words_embed
from storage.database import Database
from storage.votes.predictions import newest_vote_at
from storage.votes.standing import Value
from training.inference.vocabulary import denied_words
from training.votes.checks.votes import run_checks

HASHED = "shoes are [MASK] in [email]"


@pytest.mark.parametrize("seed", range(3))
async def test_the_words_are_those_that_a_run_judges(
    database: Database, database_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    denied = min(denied_words())
    words = [("cheap", 0.4), ("soft", 0.3), ("ugly", 0.1), (denied, 0.05), ("h3llo", 0.01)]
    texts = ["Nike shoes are [MASK].", "The caps are [MASK].", HASHED, "Socks [MASK]."]
    predictions = [await ask(database, text, words=words) for text in texts * 2]
    for _ in range(90):
        value: Value = 1 if chance.random() < 0.6 else -1
        at = NOON - timedelta(days=chance.choice((0, 1, 30, 400, 1200)), minutes=chance.randrange(900))
        via = chance.choice(("reaction", "menu"))
        word, by = chance.choice(words)[0], chance.choice((-1, 1, 2, 3, 4, 5, 6))
        weight = chance.choice((0.0, 1.0, 1.0, 2.0))
        prediction = chance.choice(predictions)
        await vote(database, prediction, word, value, by=by, via=via, at=at, weight=weight)  # type: ignore[arg-type]
    await opt_out(database, 6)
    settings = settings_for(tmp_path, min_voters=2)
    report = await asyncio.to_thread(
        run_checks,
        database_url,
        tmp_path / "uptrain",
        as_of=datetime.now(UTC),
        aged_at=await newest_vote_at(database, until=datetime.now(UTC)),
        min_voters=2,
        denied=sorted(denied_words()),
        half_life_days=settings.vote_half_life_days,
    )
    newest = await rated_words(database, settings)
    expected = {
        (one.query_hash, one.mask_index, one.word): (one.up, one.down, one.voters)
        for one in report.judgements
    }
    found = {item: (one.up, one.down, one.voters) for item, one in newest.items() if one.is_judged}
    assert found.keys() == expected.keys()
    assert expected
    for item, numbers in expected.items():
        assert found[item] == pytest.approx(numbers, rel=1e-3)


async def test_what_became_of_ones_own_votes_is_said(database: Database, tmp_path: Path) -> None:
    prediction = await ask(database)
    for voter in (1, 2, 3):
        await vote(database, prediction, "cheap", 1, by=voter)
        await vote(database, prediction, "ugly", 1 if voter == 1 else -1, by=voter)
    await vote(database, prediction, "comfortable", 1, by=1, at=minutes(1))
    await vote(database, prediction, "ugly", -1, by=4)
    rated = await rated_words(database, settings_for(tmp_path, min_voters=2))
    embed = words_embed(rated, person_id=1, min_voters=2, is_out=False)
    fields = {field.name: (field.value or "").split("\n") for field in embed.fields}
    assert fields["Wanted"][0].startswith("**cheap** · 100% agree · 3 people · one sentence · since <t:")
    assert fields["Rejected"][0].startswith("**ugly** · ")
    assert "4 people" in fields["Rejected"][0]
    assert fields["What you taught"][:3] == [
        "👍 comfortable · waits for more people",
        "👍 ugly · does not count, because most disagree",
        "👍 cheap · counts",
    ]
    out = words_embed(rated, person_id=1, min_voters=2, is_out=True)
    assert out.fields[-1].value == "Your votes do not count while you have opted out; `optin` changes that."


@pytest.mark.asyncio(loop_scope="module")
async def test_the_reply_shows_words_of_open_channels_alone(wire: Wire, ann: Person, bob: Person) -> None:
    told = await wire.say(ann, "!words")
    assert told["embeds"][0]["description"].startswith("No word counts yet.")
    reply = await voted(wire, ann, QUERY, "👎")
    word = (await wire.row(reply))["candidates"][0]["word"]
    secret = add_channel(wire.sandbox, "secret-words", only_for=[ann.id, wire.sandbox.bot_user_id]).id
    hidden = await voted(wire, ann, "the secret plan is [MASK]", channel_id=secret)
    secret_word = (await wire.row(hidden))["candidates"][0]["word"]
    assert secret_word != word

    told = fields_of(await wire.say(ann, "!words"))
    assert told["Rejected"].startswith(f"**{word}** · 100% agree · one person · one sentence · since <t:")
    assert told["What you taught"].strip() == f"👎 {word} · counts"
    assert "Wanted" not in told
    alone = await wire.slash(ann, "words")
    assert alone["flags"] & EPHEMERAL
    assert secret_word in fields_of(alone)["Wanted"]
    assert secret_word not in str(fields_of(await wire.slash(bob, "words")))
