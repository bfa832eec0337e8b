"""Read text files in UTF-8, UTF-16 or UTF-32, with or without a byte order mark, and any line ends."""

import codecs
from pathlib import Path

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NUL_SHARE = 0.3  # share of NULs in every second byte; nearly 1 in Western text in UTF-16


def read_text(path: Path, *, fallback: str | None = None) -> str:
    r"""Read a text file and normalize line ends to `\n`.

    Args:
        path: The file.
        fallback: The encoding to try if the file is not Unicode.

    Raises:
        OSError: The file cannot be read.
        UnicodeDecodeError: The file has none of these encodings.
    """
    return decode(path.read_bytes(), fallback=fallback)


def read_words(path: Path) -> list[str]:
    """Return the words of a text file, without the lines that begin with `#`."""
    lines = read_text(path).splitlines()
    return [word for line in lines if not line.startswith("#") for word in line.split()]


def decode(content: bytes, *, fallback: str | None = None) -> str:
    """Decode bytes as `read_text` does."""
    encoding = encoding_of(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        if fallback is None or encoding != "utf-8":
            raise
        text = content.decode(fallback)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def encoding_of(sample: bytes) -> str:
    """Detect the encoding by the byte order mark, else by the positions of NULs; UTF-8 by default."""
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    half = max(1, len(sample) // 2)
    even, odd = (sample[start::2].count(0) / half > NUL_SHARE for start in (0, 1))
    if even == odd:
        return "utf-8"
    return "utf-16-le" if odd else "utf-16-be"
