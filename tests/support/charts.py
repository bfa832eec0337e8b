"""Pictures that the bot sent, and the text of its embeds."""

import struct

import aiohttp
from support.people import Json

PNG = b"\x89PNG\r\n\x1a\n"
FAILED = "The picture could not be drawn. Please try again; the log has the details."


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height, as the header says."""
    assert png.startswith(PNG)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


async def picture(reply: Json) -> bytes:
    """What the embed's image shows."""
    async with aiohttp.ClientSession() as http, http.get(reply["embeds"][0]["image"]["url"]) as response:
        assert response.content_type == "image/png"
        return await response.read()


def field(reply: Json, name: str) -> str:
    return next((one["value"] for one in reply["embeds"][0].get("fields", ()) if one["name"] == name), "")
