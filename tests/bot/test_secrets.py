"""The token, and those of interactions and webhooks, are in nothing that the app leaves behind or says."""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from support.app import ended_app, environment, spawn
from support.commands import declared, options
from support.databases import TEMPLATE
from support.people import Person
from support.sandbox_faults import faults_of
from support.wire import LOADING, eventually, leads, until_met

from bot.sandbox.server import Sandbox


def new_token() -> str:
    """As Discord makes them: base64 of the id, of a time, and a secret."""
    owner = base64.urlsafe_b64encode(b"1100000000000000301").decode().rstrip("=")
    return f"{owner}.{secrets.token_urlsafe(4)}.{secrets.token_urlsafe(28)}"


def forms(token: str) -> Iterator[bytes]:
    """How a token could be written: as it is, in its secret parts, quoted, in base64 at any offset."""
    yield token.encode()
    yield token.rpartition(".")[2].encode()
    yield quote(token, safe="").encode()
    for before in range(3):
        coded = base64.b64encode(b"x" * before + token.encode())
        yield coded[4 : len(coded) // 4 * 4 - 4]


def found_in(content: bytes, tokens: list[str]) -> list[str]:
    return [token for token in tokens for form in forms(token) if form in content]


def files(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in home.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()


def ports_of(process_id: int) -> set[int]:
    """Where a process listens: the sockets that it holds, among those in state 0A."""
    held = set()
    for path in Path(f"/proc/{process_id}/fd").iterdir():
        with contextlib.suppress(OSError):
            held.add(str(path.readlink()))
    rows = [line.split() for line in Path(f"/proc/{process_id}/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held
    }


def test_a_token_is_found_in_any_form() -> None:
    token = new_token()
    for form in (token, quote(token), repr({"a": token}), f"Bot {token}", token[-38:]):
        assert found_in(f"before {form} after".encode(), [token]), form
    for before in range(3):
        assert found_in(base64.b64encode(b"." * before + token.encode() + b"after"), [token])
    assert not found_in(new_token().encode(), [token])


async def use(sandbox: Sandbox, home: Path, health_url: str) -> list[str]:
    """Do everything that could tell a secret. Returns what the people heard, and what the endpoints say."""
    channel_id, faults = sandbox.channel_id, faults_of(sandbox)
    async with Person(sandbox.url, "ada") as ada, Person(sandbox.url, "ben") as ben:

        async def is_answered(person: Person, name: str, **options: str) -> None:
            since = person.mark()
            await person.slash(channel_id, name, **options)
            await person.wait_for_message(lambda body: not body["flags"] & LOADING, since=since, timeout_s=60)

        hook = await ada.request("POST", f"/channels/{channel_id}/webhooks", {"name": "feed"})
        await ada.request("POST", f"/webhooks/{hook['id']}/{hook['token']}", {"content": "!help"})
        since = ben.mark()
        await ben.say(channel_id, "!fill Nike shoes are very [MASK]")
        reply = await ben.wait_for_event(
            "MESSAGE_CREATE", predicate=lambda b: b["author"]["id"] == str(sandbox.bot_user_id), since=since
        )
        await ben.react(reply, "👎")
        await is_answered(ben, "fill", text="Nike shoes are very [MASK]")
        faults.rate_limit("POST", "/webhooks/", retry_after_s=0.1)
        faults.rate_limit("POST", "/channels/", retry_after_s=0.1)
        faults.fail("PUT", "/reactions/", status=403)
        for name in ("why", "mydata", "export"):
            if (command := declared().get(name)) is not None:
                asked = options(command, word="soft", text="Nike shoes are very [MASK]")
                await is_answered(ada, name, **asked)
        await is_answered(ada, "rollback", version="../../etc")
        faults.fail("POST", "/callback", status=500, times=2)
        await ben.slash(channel_id, "model")
        faults.cut("POST", "/callback", times=1)
        await ben.slash(channel_id, "help")
        await until_met(sandbox, "/callback")
        faults.clear()
        (home / "models" / "v0001" / "card.json").rename(home / "card.json")  # now `!model` fails
        await ben.say(channel_id, "!model")
        await ben.wait_for_event("MESSAGE_CREATE", predicate=lambda body: "damaged" in body["content"])
        (home / "card.json").rename(home / "models" / "v0001" / "card.json")
        (home / "models" / "champion").write_text("v0099\n")  # which is not there: an error in the log

        async def is_logged() -> bool:
            return b'"level": "error"' in (home / "bot.log").read_bytes()

        await eventually(is_logged)
        (home / "models" / "champion").write_text("v0001\n")
        since = ada.mark()
        await ada.say(channel_id, "!retrain")
        await ada.wait_for_event(
            "MESSAGE_UPDATE", predicate=lambda b: bool(b["embeds"]), since=since, timeout_s=120
        )
        faults.drop_gateway(4000)
        faults.clear()
        await is_answered(ben, "help")
        async with aiohttp.ClientSession() as http:
            told = []
            for path in ("/healthz", "/readyz", "/metrics", "/nowhere"):
                async with http.get(health_url + path) as response:
                    told.append(await response.text())
        last = await ada.say(channel_id, "That is all.")
        for person in (ada, ben):  # what is on its way to them arrives before this message
            await person.wait_for_event("MESSAGE_CREATE", predicate=lambda body: body["id"] == last["id"])
        return [*told, *(repr(event) for person in (ada, ben) for event in person.events)]


@pytest.mark.long
async def test_no_secret_in_anything_a_whole_run_leaves_behind_or_says(home: Path) -> None:
    token = new_token()
    async with Sandbox(bot_token=token) as sandbox:
        env = environment(
            home,
            token=f" {token}\t",  # as it is copied
            GUILD_IDS=sandbox.guild_id,
            DISCORD_API_URL=sandbox.api_url,
            DISCORD_GATEWAY_URL=sandbox.gateway_url,
            REPORT_CHANNEL_ID=sandbox.reports_channel_id,
            LOG_LEVEL="DEBUG",
            HEALTH_PORT=0,
            MIN_JUDGEMENTS=1,
            MIN_VOTERS=1,
            DEVICE="cpu",
        )
        with (home / "bot.log").open("wb") as log:
            process = await spawn("bot", home=home, env=env, stderr=log.fileno())
        try:
            async with asyncio.timeout(200):
                assert process.stdout is not None
                ready = await process.stdout.readline()
                assert b"online on Discord" in ready, (home / "bot.log").read_text()[-3000:]
                url = (home / "bot.log").read_text().partition('"url": "')[2].partition('"')[0]
                assert ports_of(process.pid) == {int(url.rpartition(":")[2])}  # no sandbox beside a token
                await leads(sandbox)  # the commands are there
                heard = await use(sandbox, home, url)
                faults_of(sandbox).send_event("INTERACTION_CREATE", {"id": "x", "type": 2})
                rest = asyncio.create_task(process.stdout.read())
                while not rest.done():
                    faults_of(sandbox).drop_gateway(4004)  # for good; nothing happens while it reconnects
                    await asyncio.wait({rest}, timeout=0.5)
                out = ready + rest.result()
                assert await process.wait() == 69
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        world = sandbox.world
        tokens = [token, *(one.token for one in (*world.interactions.values(), *world.webhooks.values()))]
        said = repr(world.messages)
    everything = dict(files(home))
    everything |= {"standard output": out, "what was said": said.encode()}
    everything |= {f"heard {number}": line.encode() for number, line in enumerate(heard)}
    assert len(tokens) > 8
    assert {"bot.log", "training.log", *([] if TEMPLATE else ["fillbot.db"])} <= everything.keys()
    assert b'"level": "error"' in everything["bot.log"]
    assert b"run.finished" in everything["bot.log"]
    found = {name: hits for name, content in everything.items() if (hits := found_in(content, tokens))}
    assert not found


@pytest.mark.parametrize("character", ["\n", "é", "\x7f"])
async def test_a_token_that_cannot_be_one_ends_in_a_sentence_without_it(home: Path, character: str) -> None:
    ended = await ended_app(home, token=f"s3cret{character}t0ken", GUILD_IDS=1, LOG_LEVEL="DEBUG")
    assert ended.code == 78, ended.error
    assert ended.sentence.startswith("The settings cannot be used: DISCORD_TOKEN: not a token")
    assert "s3cret" not in ended.error + ended.out
    assert "t0ken" not in ended.error + ended.out
