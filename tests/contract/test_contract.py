"""The contract with Discord's API description can fail: a bad request and a bad answer fail their test."""

from collections.abc import Callable
from typing import Any

import pytest
from contract.checking import Checker, Exchange, read_allowed
from contract.spec import PROJECT, SPEC_FILE, SpecFile

pytestmark = pytest.mark.skipif(not SPEC_FILE.is_file(), reason=f"there is no {SPEC_FILE}")
CHANNEL = "/channels/1000000000000000001"
CALLBACK = "/interactions/1000000000000000002/some-token/callback"
WEBHOOK = "/webhooks/1000000000000000003/some-token"
ROW: dict[str, Any] = {"type": 1, "components": []}
MENU: dict[str, Any] = {"type": 3, "custom_id": "m", "options": [{"label": "a", "value": "a"}]}
BUTTON: dict[str, Any] = {"type": 2, "custom_id": "b", "style": 1, "label": "press"}
INPUT: dict[str, Any] = {"type": 4, "custom_id": "t", "style": 1, "label": "Word"}
FILL: dict[str, Any] = {"name": "fill", "description": "Fill", "type": 1}


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker(SpecFile().spec, [])


def row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"components": [{**ROW, "components": list(components)}]}


def modal(*components: dict[str, Any], title: str = "A word") -> dict[str, Any]:
    rows = [{**ROW, "components": [one]} for one in components]
    return {"type": 9, "data": {"custom_id": "f", "title": title, "components": rows}}


def choices(**choice: Any) -> dict[str, Any]:
    return {"type": 8, "data": {"choices": [{"name": "a", "value": "a", **choice}]}}


def answered(body: Any, *, method: str = "POST", path: str = CALLBACK) -> Exchange:
    return Exchange(method, path, body=body, status=204)


def sent(body: Any, *, path: str = f"{CHANNEL}/messages", **more: Any) -> Exchange:
    return Exchange("POST", path, body=body, **more)


def registered(*commands: dict[str, Any]) -> Exchange:
    return Exchange("PUT", "/applications/1000000000000000003/commands", body=list(commands), answer=[])


GOOD = {
    "a text": sent({"content": "x" * 2000}),
    "a menu of which nothing need be chosen": sent(row({**MENU, "min_values": 0, "required": False})),
    "a modal": answered(modal({**INPUT, "label": "x" * 45}, title="x" * 45)),
    "choices": answered(choices(name="x" * 100)),
    "a command": registered(FILL),
    "a page of messages": Exchange("GET", f"{CHANNEL}/messages", query=(("limit", "100"),), answer=[]),
    "an emoji": Exchange("PUT", f"{CHANNEL}/messages/1/reactions/%F0%9F%91%8D/@me", status=204),
    "a wish for the message": Exchange(
        "POST",
        CALLBACK,
        query=(("with_response", "1"),),
        body={"type": 5},
        answer={"interaction": {"id": "1", "type": 2}},
    ),
}
BAD = {
    "2,001 characters": sent({"content": "x" * 2001}),
    "2,001 characters in a follow-up": sent({"content": "x" * 2001}, path=WEBHOOK),
    "nothing": sent({}),
    "eleven embeds": sent({"embeds": [{"title": "a"}] * 11}),
    "6,001 characters in embeds": sent({"embeds": [{"description": "x" * 2001}] * 3}),
    "an empty embed": sent({"embeds": [{}]}),
    "an empty field": sent({"embeds": [{"fields": [{"name": " ", "value": "a"}]}]}),
    "a long field": sent({"embeds": [{"fields": [{"name": "a", "value": "x" * 1025}]}]}),
    "a colour": sent({"embeds": [{"title": "a", "color": 1 << 24}]}),
    "a picture that is not sent": sent({"embeds": [{"image": {"url": "attachment://a.png"}}]}),
    "an unknown field": sent({"content": "a", "contents": "b"}),
    "an unknown kind of component": sent({"components": [{"type": 99}]}),
    "a kind that is no number": sent(row({**BUTTON, "type": "2"})),
    "a button outside a row": sent({"components": [BUTTON]}),
    "a text input in a message": sent(row(INPUT)),
    "six rows": sent(
        {"components": [{**ROW, "components": [{**BUTTON, "custom_id": str(i)}]} for i in range(6)]}
    ),
    "six buttons": sent(row(*({**BUTTON, "custom_id": str(i)} for i in range(6)))),
    "a menu beside a button": sent(row(MENU, BUTTON)),
    "one id twice": sent(row(BUTTON, BUTTON)),
    "a long id": sent(row({**BUTTON, "custom_id": "x" * 101})),
    "a long button": sent(row({**BUTTON, "label": "x" * 81})),
    "a button without words": sent(row({**BUTTON, "label": ""})),
    "a link with an id": sent(row({**BUTTON, "style": 5, "url": "https://example.org"})),
    "a required menu of which nothing need be chosen": sent(row({**MENU, "min_values": 0, "required": True})),
    "a long placeholder": sent(row({**MENU, "placeholder": "x" * 151})),
    "26 options": sent(row({**MENU, "options": [{"label": str(i), "value": str(i)} for i in range(26)]})),
    "no options": sent(row({**MENU, "options": []})),
    "a long option": sent(row({**MENU, "options": [{"label": "x" * 101, "value": "a"}]})),
    "a long description of an option": sent(
        row({**MENU, "options": [{"label": "a", "value": "a", "description": "x" * 101}]})
    ),
    "an option twice": sent(row({**MENU, "options": MENU["options"] * 2})),
    "more choices than options": sent(row({**MENU, "max_values": 2})),
    "a long nonce": sent({"content": "a", "nonce": "x" * 26}),
    "an ephemeral message in a channel": sent({"content": "a", "flags": 64}),
    "files that the list leaves out": sent({"attachments": []}, files={"files[0]": "a.txt"}),
    "a modal's title": answered(modal(INPUT, title="x" * 46)),
    "a label in a modal": answered(modal({**INPUT, "label": "x" * 46})),
    "no label in a modal": answered(modal({**INPUT, "label": None})),
    "a placeholder in a modal": answered(modal({**INPUT, "placeholder": "x" * 101})),
    "a modal of six": answered(modal(*({**INPUT, "custom_id": str(i)} for i in range(6)))),
    "an empty modal": answered(modal()),
    "26 choices": answered({"type": 8, "data": {"choices": [{"name": "a", "value": "a"}] * 26}}),
    "a long choice": answered(choices(name="x" * 101)),
    "a choice's long value": answered(choices(value="x" * 101)),
    "an unknown kind of answer": answered({"type": 99}),
    "a long command": registered({**FILL, "name": "x" * 33}),
    "a command's long description": registered({**FILL, "description": "x" * 101}),
    "a command in capitals": registered({**FILL, "name": "Fill"}),
    "a command twice": registered(FILL, FILL),
    "an optional option first": registered(
        {
            **FILL,
            "options": [
                {"type": 3, "name": "a", "description": "a"},
                {"type": 3, "name": "b", "description": "b", "required": True},
            ],
        }
    ),
    "101 messages": Exchange("GET", f"{CHANNEL}/messages", query=(("limit", "101"),), answer=[]),
    "an unknown parameter": Exchange("GET", f"{CHANNEL}/messages", query=(("max", "1"),), answer=[]),
    "an id of letters": Exchange("GET", "/channels/abc/messages", answer=[]),
    "a word for an emoji": Exchange("PUT", f"{CHANNEL}/messages/1/reactions/thumbsup/@me", status=204),
    "an unknown route": Exchange("GET", "/nowhere"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_discord_takes_is_no_violation(checker: Checker, name: str) -> None:
    found = [one for one in checker.violations(GOOD[name]) if not one.side.startswith("response")]
    assert list(map(str, found)) == []


@pytest.mark.parametrize("name", BAD)
def test_what_discord_refuses_is_a_violation(checker: Checker, name: str) -> None:
    assert [one for one in checker.violations(BAD[name]) if one.side == "request"]


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange("GET", CHANNEL, answer={"id": "1", "type": 0, "flags": 0, "guild_id": "2", "name": "talk"}),
        Exchange("GET", CHANNEL, answer={"id": 1, "type": 1, "flags": 0, "recipients": []}),
        Exchange("GET", CHANNEL, answer={"id": "1", "type": 99, "flags": 0}),
        Exchange("GET", CHANNEL, answer={"id": "1", "type": 1, "flags": 0, "recipients": [], "more": 1}),
        Exchange("GET", CHANNEL, answer=None),
        Exchange("GET", CHANNEL, status=404, answer={"message": "Unknown Channel"}),
        Exchange("GET", CHANNEL, status=429, answer={"message": "Slow down", "code": 0}),
        Exchange("DELETE", f"{CHANNEL}/messages/1", status=200, answer={}),
    ],
    ids=["field missing", "number for id", "kind", "unknown field", "no body", "error", "limit", "status"],
)
def test_an_answer_of_another_shape_is_a_violation(checker: Checker, exchange: Exchange) -> None:
    assert [one for one in checker.violations(exchange) if one.side == f"response {exchange.status}"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("MESSAGE_CREATE", {"id": "1", "channel_id": "2", "content": "hello"}),
        ("THREAD_CREATE", {"id": "1", "type": 11}),
        ("CHANNEL_CREATE", {"id": "1", "type": 0, "flags": 0, "guild_id": "2", "name": "talk"}),
        ("GUILD_CREATE", {"id": "1", "members": [{"user": {"id": "2"}}]}),
        ("MESSAGE_REACTION_ADD", {"user_id": "1", "channel_id": "2", "message_id": "3"}),
        ("INTERACTION_CREATE", {"id": "1", "type": 2, "token": "t", "version": 1}),
    ],
)
def test_an_event_of_another_shape_is_a_violation(checker: Checker, name: str, body: dict[str, Any]) -> None:
    assert checker.event_violations(name, body)


def test_people_are_not_the_bot(checker: Checker) -> None:
    bad = Exchange("POST", f"{CHANNEL}/messages", body={"content": "x" * 2001}, status=503, is_by_bot=False)
    assert checker.violations(bad) == []


def test_every_exception_says_why() -> None:
    assert all(len(one.reason) > 20 for one in read_allowed())


def test_a_body_of_any_shape_is_read(checker: Checker) -> None:
    for body in (
        None,
        [],
        "",
        1,
        {"components": [None]},
        {"embeds": 1},
        {"type": 9, "data": {"components": 1}},
    ):
        checker.violations(sent(body))
        checker.violations(answered(body))
        checker.violations(Exchange("PUT", "/applications/1/commands", body=body))


PROJECT_TEST = """
import aiohttp
import pytest
from bot.sandbox.rest import channels
from bot.sandbox.server import Sandbox

pytestmark = pytest.mark.asyncio

async def ask(method, path, **more):
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bot {sandbox.bot_token}", "User-Agent": "DiscordBot (test)"}
        url = f"{sandbox.api_url}/channels/{sandbox.channel_id}{path}"
        async with session.request(method, url, headers=headers, **more) as answer:
            return answer.status
"""


@pytest.fixture
def outcome(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], pytest.RunResult]:
    """Run a test of its own against the sandbox, as a project would."""
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT}:{PROJECT / 'tests'}")

    def run(code: str) -> pytest.RunResult:
        pytester.makeconftest('pytest_plugins = ("contract.plugin",)')
        pytester.makeini("[pytest]\nasyncio_mode = auto\nmarkers = nonsense: on purpose\n")
        pytester.makepyfile(PROJECT_TEST + code)
        return pytester.runpytest_subprocess("-q")

    return run


def test_a_test_with_a_bad_request_fails(outcome: Callable[[str], pytest.RunResult]) -> None:
    result = outcome(
        """
async def test_bad():
    assert await ask("POST", "/messages", json={"content": "hello", "flags": 64}) == 200
"""
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*POST /channels/{channel_id}/messages request at /flags*"])
    result.stdout.fnmatch_lines(["*contract: 1 requests of the bot*"])


def test_a_test_with_a_bad_answer_fails(outcome: Callable[[str], pytest.RunResult]) -> None:
    result = outcome(
        """
async def test_bad(monkeypatch):
    whole = channels.channel_json
    monkeypatch.setattr(channels, "channel_json", lambda *given: {**whole(*given), "id": 1})
    assert await ask("GET", "") == 200
"""
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*GET /channels/{channel_id} response 200 at /id*"])


def test_a_test_that_sends_nonsense_passes(outcome: Callable[[str], pytest.RunResult]) -> None:
    result = outcome(
        """
@pytest.mark.nonsense
async def test_nonsense():
    assert await ask("POST", "/messages", json={"content": "x" * 2001}) == 400
"""
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*contract: 0 requests of the bot*"])
