"""People in the sandbox: what a person does on Discord, over the same REST API and gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

Json = dict[str, Any]
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
BUTTON, MENU = 2, 3
MESSAGE_COMMAND = 3


class RefusedError(Exception):
    """The server refused a request."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        self.code = body.get("code") if isinstance(body, dict) else None
        super().__init__(f"{status}: {body}")


class Person:
    """One person with one open gateway connection.

    `events` holds everything heard so far as (name, body); the `wait_for…` methods look there first, from
    `since` on, so that nothing is missed between an action and the wait.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.events: list[tuple[str, Json]] = []
        self._heard = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(headers={"Authorization": self.token})
        self._socket = await self._http.ws_connect(f"{self.url.replace('http', 'ws', 1)}/gateway")
        hello = await self._socket.receive_json()
        self._heart = asyncio.create_task(self._beat(hello["d"]["heartbeat_interval"] / 1000))
        await self._socket.send_json({"op": 2, "d": {"token": self.token, "properties": {}}})
        self._listener = asyncio.create_task(self._listen())
        ready = await self.wait_for_event("READY")
        self.id = int(ready["user"]["id"])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._listener, self._heart):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task
        await self._socket.close()
        await self._http.close()

    async def _beat(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)  # the gateway sets the interval of heartbeats
            await self._socket.send_json({"op": 1, "d": None})

    async def _listen(self) -> None:
        async for message in self._socket:
            packet = json.loads(message.data)
            if packet["op"] == 0:
                async with self._heard:
                    self.events.append((packet["t"], packet["d"]))
                    self._heard.notify_all()

    def mark(self) -> int:
        """Return where the events end now, for `since`."""
        return len(self.events)

    async def wait_for_event(
        self,
        *names: str,
        predicate: Callable[[Json], bool] = lambda _: True,
        since: int = 0,
        timeout_s: float = 45.0,
    ) -> Json:
        """Return the first event of one of these names that fits; raises TimeoutError."""
        at = since
        async with asyncio.timeout(timeout_s), self._heard:
            while True:
                while at < len(self.events):
                    name, body = self.events[at]
                    at += 1
                    if name in names and predicate(body):
                        return body
                await self._heard.wait()

    async def wait_for_message(
        self, predicate: Callable[[Json], bool] = lambda _: True, *, since: int = 0, timeout_s: float = 45.0
    ) -> Json:
        """Return the first new or edited message that fits."""
        return await self.wait_for_event(
            "MESSAGE_CREATE", "MESSAGE_UPDATE", predicate=predicate, since=since, timeout_s=timeout_s
        )

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Call the REST API; raises RefusedError."""
        if body is not None:
            options["json"] = body
        async with self._http.request(method, f"{self.url}/api/v10{path}", **options) as response:
            text = await response.text()
            is_json = response.headers.get("Content-Type") == "application/json"
            answered = json.loads(text) if is_json else text
            if response.status >= 400:
                raise RefusedError(response.status, answered)
            return answered

    async def say(self, channel_id: int, text: str, *, reply_to: Json | None = None) -> Json:
        """Post a message."""
        body: Json = {"content": text}
        if reply_to is not None:
            body["message_reference"] = {"message_id": reply_to["id"]}
        message: Json = await self.request("POST", f"/channels/{channel_id}/messages", body)
        return message

    async def messages(self, channel_id: int, *, limit: int = 50) -> list[Json]:
        """Return the channel's messages, newest first."""
        page: list[Json] = await self.request("GET", f"/channels/{channel_id}/messages?limit={limit}")
        return page

    async def message(self, message: Json) -> Json:
        """Return a message as it is now."""
        now: Json = await self.request("GET", _message_path(message))
        return now

    async def attached(self, message: Json) -> bytes:
        """The content of a message's one file."""
        (attachment,) = message["attachments"]
        async with self._http.get(attachment["url"]) as response:
            return await response.read()

    async def command(self, channel_id: int, text: str) -> Json:
        """Say something, and return the reply to it."""
        since = self.mark()
        message = await self.say(channel_id, text)
        return await self.wait_for_event(
            "MESSAGE_CREATE",
            predicate=lambda body: (body.get("message_reference") or {}).get("message_id") == message["id"],
            since=since,
        )

    async def edit(self, message: Json, text: str) -> Json:
        """Edit one's own message."""
        edited: Json = await self.request("PATCH", _message_path(message), {"content": text})
        return edited

    async def delete(self, message: Json) -> None:
        """Delete a message."""
        await self.request("DELETE", _message_path(message))

    async def react(self, message: Json, emoji: str, *, is_super: bool = False) -> None:
        """Give a reaction."""
        path = f"{_message_path(message)}/reactions/{quote(emoji)}/@me"
        await self.request("PUT", path, params={"type": int(is_super)})

    async def unreact(
        self, message: Json, emoji: str, *, user_id: int | None = None, is_super: bool = False
    ) -> None:
        """Take a reaction away, one's own or another's."""
        whose = "@me" if user_id is None else str(user_id)
        path = f"{_message_path(message)}/reactions/{quote(emoji)}/{whose}"
        await self.request("DELETE", path, params={"type": int(is_super)})

    async def clear_reactions(self, message: Json, emoji: str | None = None) -> None:
        """Take one emoji or all of them away from a message."""
        tail = "" if emoji is None else f"/{quote(emoji)}"
        await self.request("DELETE", f"{_message_path(message)}/reactions{tail}")

    async def direct_channel_id(self, user_id: int) -> int:
        """Return the direct-message channel with someone."""
        channel = await self.request("POST", "/users/@me/channels", {"recipient_id": str(user_id)})
        return int(channel["id"])

    async def slash(self, channel_id: int, name: str, **options: Any) -> None:
        """Use a slash command; ``"model list"`` means a subcommand."""
        await self._command(COMMAND, channel_id, name, [{"name": k, "value": v} for k, v in options.items()])

    async def use_on(self, message: Json, name: str) -> None:
        """Use a message command: Apps → its name."""
        data = {"name": name, "type": MESSAGE_COMMAND, "target_id": message["id"]}
        body = {"type": COMMAND, "channel_id": message["channel_id"], "data": data}
        await self.request("POST", "/interactions", body)

    async def complete(self, channel_id: int, name: str, option: str, text: str) -> list[Json]:
        """Type into an option and return the choices that the bot offers."""
        since = self.mark()
        await self.begin_completing(channel_id, name, option, text)
        offered = await self.wait_for_event("APPLICATION_COMMAND_AUTOCOMPLETE_RESPONSE", since=since)
        choices: list[Json] = offered["choices"]
        return choices

    async def begin_completing(self, channel_id: int, name: str, option: str, text: str) -> None:
        """The same, without waiting for choices."""
        focused = {"name": option, "value": text, "focused": True}
        await self._command(AUTOCOMPLETE, channel_id, name, [focused])

    async def _command(self, kind: int, channel_id: int, name: str, options: list[Json]) -> None:
        first, *inner = name.split()
        for subcommand in reversed(inner):
            options = [{"name": subcommand, "options": options}]
        body = {"name": first, "options": options}
        await self.request(
            "POST", "/interactions", {"type": kind, "channel_id": str(channel_id), "data": body}
        )

    async def click(self, message: Json, custom_id: str) -> None:
        """Press a button."""
        await self._use(message, {"component_type": BUTTON, "custom_id": custom_id})

    async def select(self, message: Json, custom_id: str, values: Iterable[str]) -> None:
        """Choose in a menu."""
        await self._use(message, {"component_type": MENU, "custom_id": custom_id, "values": list(values)})

    async def _use(self, message: Json, body: Json) -> None:
        place = {"channel_id": message["channel_id"], "message_id": message["id"]}
        await self.request("POST", "/interactions", {"type": COMPONENT, **place, "data": body})

    async def submit(self, modal: Json, answers: dict[str, str]) -> None:
        """Fill a modal in, as INTERACTION_MODAL_CREATE showed it: custom id → text."""
        rows = [
            {"type": 1, "components": [{"type": 4, "custom_id": custom_id, "value": text}]}
            for custom_id, text in answers.items()
        ]
        body = {"id": modal["id"], "custom_id": modal["custom_id"], "components": rows}
        await self.request(
            "POST", "/interactions", {"type": MODAL_SUBMIT, "channel_id": modal["channel_id"], "data": body}
        )


def _message_path(message: Json) -> str:
    return f"/channels/{message['channel_id']}/messages/{message['id']}"
