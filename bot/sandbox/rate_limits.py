"""Discord's rate limits: how many requests the bot's token may make, in a channel and in all.

Discord documents 50 requests a second for a token, and leaves the other numbers to the headers of its
responses; those here are what authors of bots see. Interaction callbacks have no limit, and webhooks do not
count for the token.
"""

import hashlib
import math
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox.rest.api import PREFIX, WORLD, answer

CALLBACK = re.compile(r"/interactions/")
WEBHOOK = re.compile(r"/webhooks/(\d+/[^/]+)")
MESSAGE = re.compile(r"/channels/(\d+)/messages(?:/(\d+))?")
REACTION = re.compile(r"/channels/(\d+)/messages/\d+/reactions/[^/]+/[^/]+")
OLD = timedelta(hours=1)
MAX_BUCKETS = 10_000  # expired ones are dropped beyond this number


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `requests` in a window of `seconds` that starts with the first one."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the bot's requests.

    Attributes:
        every: All requests of the token.
        messages: Messages sent and edited in a channel.
        reactions: Reactions added and removed in a channel.
        old_edits: Edits of messages older than an hour in a channel.
        webhook: Requests with one webhook's or interaction's token.
        others: Each other route of a channel or guild.
    """

    every: Limit = Limit(50, 1.0)
    messages: Limit = Limit(5, 5.0)
    reactions: Limit = Limit(1, 0.25)
    old_edits: Limit = Limit(3, 20.0)
    webhook: Limit = Limit(5, 2.0)
    others: Limit = Limit(30, 1.0)


@dataclass(slots=True)
class _Window:
    """The requests since `began_at`; the first request after its end starts a new window."""

    limit: Limit
    began_at: float
    used: int = 0

    @property
    def ends_at(self) -> float:
        """When the window ends."""
        return self.began_at + self.limit.seconds

    def wait_s(self, now: float) -> float:
        """Return the seconds until another request is allowed; 0 if it is allowed now."""
        return 0.0 if self.used < self.limit.requests else self.ends_at - now


class RateLimits:
    """Counts the bot's requests, and refuses those beyond the limits with 429.

    Attributes:
        requests: Requests of the bot by (method, route), such as ("POST", "/channels/{channel_id}/messages").
        refused: Those that were answered with 429.
    """

    def __init__(self, limits: Limits | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.requests: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}

    @property
    def refusals(self) -> int:
        """The number of 429 responses."""
        return self.refused.total()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Limit the bot's requests; people's always pass."""
        path = request.path.removeprefix(PREFIX)
        is_webhook = WEBHOOK.match(path) is not None or CALLBACK.match(path) is not None
        if not request.path.startswith(PREFIX) or not (is_webhook or _is_bots(request)):
            return await handler(request)
        route = _route(request)
        self.requests[route] += 1
        if self.limits is None or CALLBACK.match(path):
            return await handler(request)
        refusal, headers = self._take(request, path, self.limits)
        if refusal is not None:
            self.refused[route] += 1
            return refusal
        response = await handler(request)
        if "X-RateLimit-Limit" not in response.headers:  # a fault that a test injects sets its own
            response.headers.update(headers)
        return response

    def _take(
        self, request: web.Request, path: str, limits: Limits
    ) -> tuple[web.Response | None, dict[str, str]]:
        """Count a request. Returns the refusal, if any, and the response headers."""
        now = self._clock()
        windows: list[tuple[str, _Window]] = []  # scope and window, the first that is full refuses
        if WEBHOOK.match(path) is None:
            windows.append(("global", self._window("every", "", limits.every, now)))
        kind, major, limit = _bucket(request.method, path, _route(request)[1], limits)
        own = self._window(kind, major, limit, now)
        windows.append(("user", own))
        if kind == "messages" and request.method == "PATCH" and _edits_old(request, path):
            windows.append(("shared", self._window("old edits", major, limits.old_edits, now)))
        headers = _headers(kind, own, now)
        for scope, window in windows:
            if wait_s := window.wait_s(now):
                return too_many_requests(scope, wait_s, headers), {}
        for _, window in windows:
            window.used += 1
        headers["X-RateLimit-Remaining"] = str(own.limit.requests - own.used)
        return None, headers

    def _window(self, kind: str, major: str, limit: Limit, now: float) -> _Window:
        if len(self._windows) > MAX_BUCKETS:
            self._windows = {key: one for key, one in self._windows.items() if now < one.ends_at}
        if (kind, major) not in self._windows or now >= self._windows[kind, major].ends_at:
            self._windows[kind, major] = _Window(limit, now)
        return self._windows[kind, major]


def _is_bots(request: web.Request) -> bool:
    world = request.app[WORLD]
    return world.user_id_by_header(request.headers) == world.bot_user_id


def _route(request: web.Request) -> tuple[str, str]:
    """Return method and path, with names in place of ids."""
    resource = request.match_info.route.resource
    return request.method, "" if resource is None else resource.canonical.removeprefix(PREFIX)


def _bucket(method: str, path: str, route: str, limits: Limits) -> tuple[str, str, Limit]:
    """Return kind, major parameter (channel, guild or webhook) and limit of a request's bucket."""
    if found := WEBHOOK.match(path):
        return "webhook", found[1], limits.webhook
    if (found := REACTION.fullmatch(path)) and method in ("PUT", "DELETE"):
        return "reactions", found[1], limits.reactions
    found = MESSAGE.fullmatch(path)
    if found is not None and (method == "PATCH" or (method == "POST" and found[2] is None)):
        return "messages", found[1], limits.messages
    major = "/".join(path.split("/")[1:3]) if path.startswith(("/channels/", "/guilds/")) else ""
    return f"{method} {route}", major, limits.others


def _edits_old(request: web.Request, path: str) -> bool:
    """Return whether the path names a message that is older than an hour."""
    world, found = request.app[WORLD], MESSAGE.fullmatch(path)
    if found is None or found[2] is None:
        return False
    message = world.history(int(found[1])).get(int(found[2]))
    return message is not None and world.age_of(message.id) > OLD


def _headers(bucket: str, window: _Window, now: float) -> dict[str, str]:
    """Return the headers that say how much of a bucket was left before this request."""
    reset_after_s = max(0.0, window.ends_at - now)
    return {
        "Via": "1.1 sandbox",
        "X-RateLimit-Bucket": hashlib.sha256(bucket.encode()).hexdigest()[:32],
        "X-RateLimit-Limit": str(window.limit.requests),
        "X-RateLimit-Remaining": str(window.limit.requests - window.used),
        "X-RateLimit-Reset": f"{time.time() + reset_after_s:.3f}",
        "X-RateLimit-Reset-After": f"{reset_after_s:.3f}",
    }


def too_many_requests(scope: str, wait_s: float, headers: dict[str, str]) -> web.Response:
    """Return 429; the scope "shared" is that of old messages' edits, which have their own code."""
    retry_after_s = math.ceil(wait_s * 1000) / 1000
    message, code = "You are being rate limited.", 0
    if scope == "shared":
        message = "Maximum number of edits to messages older than 1 hour reached. Try again later"
        code, scope = 30046, "user"
    body = {"message": message, "code": code, "retry_after": retry_after_s, "global": scope == "global"}
    response = answer(body, status=429)
    response.headers.update(headers)
    response.headers.update(
        {"Retry-After": str(max(1, math.ceil(retry_after_s))), "X-RateLimit-Scope": scope}
    )
    if scope == "global":
        response.headers["X-RateLimit-Global"] = "true"
    return response
