"""A hub on loopback: what huggingface_hub asks of the real one to make a repository and commit files to it.

Large files come by its own storage (Xet: chunks, gathered in xorbs, described in shards), or as LFS objects.
"""

import base64
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LARGE = (".safetensors", ".onnx")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Repository:
    """Its files, and who sees them."""

    is_private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, str] = field(default_factory=dict)  # name → sha256
    commits: list[str] = field(default_factory=list)


class Hub:
    """The hub's side; it knows one token.

    `refusals` maps a part of an address to the status and the message that it answers instead; status 0 hangs
    up.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.url = ""
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}  # of LFS: sha256 → content
        self.stored_bytes = 0  # in Xet
        self.refusals: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=2**24)
        repository = "/api/models/{owner}/{name}"
        app.router.add_get("/", self._nothing)  # HEAD, too
        app.router.add_post("/api/repos/create", self._create)
        app.router.add_post("/api/validate-yaml", self._validate)
        app.router.add_get(repository, self._info)
        app.router.add_post(repository + "/preupload/main", self._preupload)
        app.router.add_post(repository + "/commit/main", self._commit)
        app.router.add_get(repository + "/xet-write-token/main", self._xet_token)
        app.router.add_post("/v1/xorbs/default/{hash}", self._xet_store)
        app.router.add_post("/v1/shards", self._xet_register)
        app.router.add_post("/{owner}/{name}.git/info/lfs/objects/batch", self._lfs_batch)
        app.router.add_put("/lfs/{sha256}", self._lfs_store)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        self.asked.append(request.path)
        for part, (status, message) in self.refusals.items():
            if part in request.path:
                if not status and request.transport:
                    request.transport.abort()
                return web.json_response({"error": message}, status=status or 500)
        is_known = request.headers.get("Authorization") == f"Bearer {self.token}"
        if request.path.startswith("/api/") and not is_known:
            return web.json_response({"error": "Invalid username or password."}, status=401)
        return await handler(request)

    def _repository(self, request: web.Request) -> Repository:
        return self.repositories[f"{request.match_info['owner']}/{request.match_info['name']}"]

    async def _nothing(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        url = f"{self.url}/{name}"
        if name in self.repositories:
            return web.json_response({"error": "You already created this model repo", "url": url}, status=409)
        self.repositories[name] = Repository(is_private=asked["visibility"] == "private")
        return web.json_response({"url": url, "name": name})

    async def _validate(self, request: web.Request) -> web.Response:
        is_card = (await request.json())["content"].startswith("---\n")
        errors = [] if is_card else [{"message": "no metadata"}]
        return web.json_response({"errors": errors, "warnings": []}, status=200 if is_card else 400)

    async def _info(self, request: web.Request) -> web.Response:
        return web.json_response({"id": "any", "private": self._repository(request).is_private})

    async def _preupload(self, request: web.Request) -> web.Response:
        names = [file["path"] for file in (await request.json())["files"]]
        modes = [(name, "lfs" if name.endswith(LARGE) else "regular") for name in names]
        files = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes]
        return web.json_response({"files": files})

    async def _commit(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        for line in (await request.text()).splitlines():
            entry = json.loads(line)
            key, value = entry["key"], entry["value"]
            if key == "header":
                repository.commits.append(value["summary"])
            elif key == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                repository.large[value["path"]] = value["oid"]
        oid = "1" * 40
        return web.json_response({"commitUrl": f"{self.url}/any/any/commit/{oid}", "commitOid": oid})

    async def _xet_token(self, _: web.Request) -> web.Response:
        content: dict[str, Any] = {"casUrl": self.url, "accessToken": "of the storage", "exp": 2**32}
        return web.json_response(content)

    async def _xet_store(self, request: web.Request) -> web.Response:
        self.stored_bytes += len(await request.read())
        return web.json_response({"was_inserted": True})

    async def _xet_register(self, request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"result": 1})

    async def _lfs_batch(self, request: web.Request) -> web.Response:
        objects = [
            {**wanted, "actions": {"upload": {"href": f"{self.url}/lfs/{wanted['oid']}"}}}
            for wanted in (await request.json())["objects"]
        ]
        return web.json_response({"transfer": "basic", "objects": objects})

    async def _lfs_store(self, request: web.Request) -> web.Response:
        content = await request.read()
        if hashlib.sha256(content).hexdigest() != request.match_info["sha256"]:
            return web.Response(status=400)
        self.objects[request.match_info["sha256"]] = content
        return web.Response()
