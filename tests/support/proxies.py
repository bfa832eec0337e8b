"""A proxy on loopback: it hands requests of HTTP and WebSockets on to one port, whatever host they name.

A tunnel (`CONNECT`) ends at the proxy too, where there is a certificate for it: as if the host that it was
asked for spoke TLS and answered from that port.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """A running proxy, and the heads of what it was asked."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    tunnelled: list[str] = field(default_factory=list)  # heads of requests that came through a tunnel

    def asked(self, method: str) -> list[str]:
        """The targets of a method."""
        return [head.split(" ")[1] for head in self.heads if head.startswith(f"{method} ")]


@contextlib.asynccontextmanager
async def proxy_to(port: int | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """Without a port to hand on to it refuses everything, and without `tls` every tunnel."""
    proxy = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            proxy.heads.append(head)
            if tls is not None and head.startswith("CONNECT "):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
                await writer.start_tls(tls)
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                proxy.tunnelled.append(head)
            if port is None or head.startswith("CONNECT "):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
            there, back = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(back):
                back.write(_for_them(head, port).encode())
                await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _for_them(head: str, port: int) -> str:
    """As a server wants it, which ends the connection after one answer: the next request is the proxy's."""
    head = re.sub(r"^(\S+) \w+://[^/]+", r"\1 ", head)
    head = re.sub(r"\r\nHost: [^\r]+", f"\r\nHost: 127.0.0.1:{port}", head, flags=re.IGNORECASE)
    if "upgrade" not in head.lower():
        head = head.removesuffix("\r\n") + "Connection: close\r\n\r\n"
    return head


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await source.read(1 << 16):
            target.write(block)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
