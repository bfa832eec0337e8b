"""Text files as editors write them: UTF-8 or UTF-16, with a byte order mark or without, any line ends."""

import codecs
from pathlib import Path

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NUL_SHARE = 0.3  # of every second byte; Western text in UTF-16 has nearly 1


def read_text(path: Path, *, fallback: str | None = None) -> str:
    r"""The text of a file, with `\n` at the end of lines.

    Args:
        path: the file.
        fallback: the encoding of a file that is not Unicode; None: there is none.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text of any of these encodings.
    """
    return decode(path.read_bytes(), fallback=fallback)


def decode(content: bytes, *, fallback: str | None = None) -> str:
    r"""The same, of bytes."""
    encoding = encoding_of(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        if fallback is None or encoding != "utf-8":
            raise
        text = content.decode(fallback)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def encoding_of(sample: bytes) -> str:
    """By the byte order mark, else by where the NULs are; UTF-8 unless something speaks against it."""
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    half = max(1, len(sample) // 2)
    even, odd = (sample[start::2].count(0) / half > NUL_SHARE for start in (0, 1))
    if even == odd:
        return "utf-8"
    return "utf-16-le" if odd else "utf-16-be"
