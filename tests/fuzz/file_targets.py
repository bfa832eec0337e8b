"""Files that somebody else wrote: the team's CSVs, suites, behaviour tests, a spoilt registry."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from fuzz.hostile import json_values, texts
from fuzz.targets import Check, opened_target
from hypothesis import strategies as st

from training.corpus import sources
from training.corpus.csv import rows as csv_files
from training.corpus.csv.errors import CsvError
from training.corpus.csv.parsing import parse_file
from training.errors import BehaviourError, CorruptVersionError, RegistryError, SuiteError
from training.evaluation.behaviour_tests import read_behaviour
from training.evaluation.behaviour_tests import shipped as shipped_tests
from training.evaluation.metrics import read_suite, read_texts
from training.inference.fill_model import FillModel
from training.registry.versions import VERSION, Registry

MAX_SENTENCES = 1000
CSV = (
    *(b",", b'"', b'""', b"\n", b"\r", b"\r\n", b";", b"\t", b"|", b"\0", b" ", b"\\", b"'", b"=1+1"),
    *(
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xff\xfe\0\0",
        b"\x80",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\x85",
    ),
    *(
        b"a,\n",
        b"text\n",
        b"text,a\n",
        b'text,"a\n',
        b'"",""\n',
        b"Title,Content,Reviewer\n",
        b"PK\x03\x04",
        b"PAR1",
    ),
    *(
        b"Content",
        b"Description",
        b"Product Name",
        b"Product ID",
        b"raw_description",
        b"name,uniq_id",
        b"review",
    ),
    *(
        b"The shoes are comfortable and light. ",
        b"Shown: Black",
        b"<b>good</b>&nbsp;",
        b"9" * 40,
        b"\xe2\x80\xa8",
    ),
    *(b"x" * 140_000, b"," * 3000, b'"' * 999, b"\n" * 999, b"a." * 5000, b"<" * 3000, b"( " * 2000),
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1")
pieces = st.binary(max_size=16).map(
    lambda recipe: b"".join(CSV[b] if b < len(CSV) else bytes([b]) for b in recipe)
)
cells = texts | st.sampled_from(("The shoes are comfortable and light.", 'a "b", c', ""))
tables = st.builds(
    lambda head, rows, mark, end, encoding: end.join(
        mark.join(f'"{cell}"' if {mark, end, '"'} & {*cell} else cell for cell in row)
        for row in [head, *rows]
    ).encode(encoding, errors="ignore"),
    st.sampled_from(
        (
            ["text"],
            ["a", "review"],
            ["Title", "Content", "Reviewer"],
            ["Product Name", "Description", "Product ID"],
        )
    ),
    st.lists(st.lists(cells, min_size=1, max_size=3), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(("\n", "\r\n", "\r")),
    st.sampled_from(ENCODINGS),
)
mutated = st.builds(
    lambda table, at, cut, piece: (
        table[: at % (len(table) + 1)] + piece + table[at % (len(table) + 1) + cut :]
    ),
    tables,
    st.integers(0, 999),
    st.integers(0, 9),
    pieces,
)
files = pieces | mutated | st.binary(max_size=64)


def names(path: Path, error: Exception) -> None:
    """Say which file it is, in a sentence that somebody would read."""
    assert str(path) in str(error)
    assert len(str(error)) < 10_000


@opened_target(
    "CSV files",
    checked="rows and sentences, or an error that names the file",
    inputs=60_000,
    content=files,
    text_column=st.sampled_from((None, None, "text", "a")),
)
@contextlib.contextmanager
def csv_read(folder: Path) -> Iterator[Check]:
    path = folder / "team.csv"

    def check(content: bytes, text_column: str | None) -> None:
        path.write_bytes(content)
        try:
            assert csv_files.read_columns(path)
            file = csv_files.inspect_file(path)
            source = sources.source_of_given_file(path, file.columns, text_column=text_column)
            for text, _, _ in parse_file(file, source, max_sentences=MAX_SENTENCES).sentences:
                assert text.encode().strip()
                assert "\0" not in text
        except CsvError as error:
            names(path, error)

    yield check


lines = st.lists(
    json_values.map(json.dumps)
    | st.fixed_dictionaries(
        {"text": texts | json_values, "wanted": json_values, "unwanted": st.just([])}
    ).map(json.dumps)
    | st.builds(lambda text: json.dumps({"text": text, "wanted": ["a"]}), texts)
    | st.sampled_from(("[" * 100_000, "9" * 5000, "NaN", '{"a":' * 5000, '{"text": "\\ud800 [MASK]"}'))
    | texts,
    max_size=4,
).map("\n".join)


@opened_target(
    "suites", checked="cases and texts, or an error that names the file", inputs=60_000, content=lines
)
@contextlib.contextmanager
def suites_read(folder: Path) -> Iterator[Check]:
    path = folder / "suite.jsonl"

    def check(content: str) -> None:
        path.write_bytes(content.encode(errors="surrogatepass"))
        for read in (read_suite, read_texts):
            try:
                for one in read(path):
                    str(getattr(one, "text", one)).encode()
            except SuiteError as error:
                names(path, error)

    yield check


shipped = shipped_tests().read_text(encoding="utf-8")
YAML = (
    *(
        "[" * 3000,
        "{" * 3000,
        "&a [*a]",
        "*a",
        "!!python/object:os.system",
        "2020-13-45",
        "9" * 5000,
        "0x",
        "? ",
        "- ",
    ),
    *(
        "minimum:",
        "\n  - name: a\n    text: a [MASK]\n",
        "\tx",
        "\0",
        "<<: *a",
        "1:1:1",
        ".inf",
        ".nan",
        "!!binary x",
    ),
    *(
        "%YAML 9",
        "---",
        "...",
        ": ",
        "!!timestamp x",
        "!!int x",
        "!!float x",
        "!!set {a}",
        "direction: []",
        "invariance: 5",
    ),
)
yamls = st.builds(
    lambda at, cut, piece, is_alone: (
        piece if is_alone else shipped[: at % 4000] + piece + shipped[at % 4000 + cut : 4000]
    ),
    st.integers(0, 4000),
    st.integers(0, 40),
    st.lists(st.sampled_from(YAML) | texts, max_size=3).map("".join),
    st.booleans(),
)


@opened_target(
    "behaviour tests",
    checked="tests, or an error that names the file",
    inputs=10_000,
    quick=60,
    content=yamls,
)
@contextlib.contextmanager
def behaviour_read(folder: Path) -> Iterator[Check]:
    path = folder / "behaviour.yaml"

    def check(content: str) -> None:
        path.write_bytes(content.encode(errors="surrogatepass"))
        try:
            read_behaviour(path)
        except BehaviourError as error:
            names(path, error)

    yield check


NAMES = (
    "champion",
    "domain",
    "withdrawn",
    "v0002/card.json",
    "v0002/vocabulary.json",
    "v0002/tokenizer.json",
)
PIECES = (
    *(
        "v0001",
        "v0002",
        "v0003",
        "v9999",
        "v999999999",
        "v00001",
        "../v0001",
        "v0001/",
        "V0001",
        "\n",
        "\0",
        " ",
    ),
    *("v٠٠٠١", "[" * 50_000, "9" * 5000, "null", "{}", "\ud800", '"', "v0001\nv0002\n", "/etc/passwd", "."),
)
contents = (
    st.binary(max_size=40)
    | st.lists(st.sampled_from(PIECES), max_size=3).map(lambda p: "".join(p).encode(errors="surrogatepass"))
    | json_values.map(lambda value: json.dumps(value).encode())
)
versions = st.lists(st.sampled_from(PIECES), max_size=2).map("".join) | texts
keys = (
    "version",
    "kind",
    "base",
    "created_at",
    "parent",
    "champion",
    "files",
    "verdict",
    "metrics",
    "run_id",
)
file_names = texts | st.sampled_from(
    ("", ".", "..", "../../x", "/etc/passwd", "a\0b", "x" * 300, "card.json")
)
cards = st.dictionaries(
    st.sampled_from(keys), json_values | versions | st.dictionaries(file_names, texts, max_size=3), max_size=3
)


@opened_target(
    "registry",
    checked="an answer or a RegistryError; what can still be read is whole; nothing outside is touched",
    inputs=15_000,
    quick=60,
    spoilt=st.dictionaries(st.sampled_from(NAMES), contents, max_size=2),
    card=st.none() | cards,
    version=versions,
)
@contextlib.contextmanager
def registry_read(home: Path) -> Iterator[Check]:
    folder = home / "models"
    registry = Registry(folder)
    before = {name: (folder / name).read_bytes() for name in NAMES if (folder / name).exists()}
    whole = json.loads(before["v0002/card.json"])

    def check(spoilt: dict[str, bytes], card: dict[str, object] | None, version: str) -> None:
        outside = sorted(home.iterdir())
        for name, content in spoilt.items():
            (folder / name).write_bytes(content)
        if card is not None:
            (folder / "v0002/card.json").write_text(json.dumps(whole | card))
        try:
            for name in (version, "v0002"):
                for act in (
                    *(registry.path, registry.card, registry.previous, registry.verify),
                    *(registry.require_not_withdrawn, registry.set_domain, registry.promote),
                ):
                    with contextlib.suppress(RegistryError):
                        act(name)
            with contextlib.suppress(RegistryError):
                registry.previous()
            for pointer in (registry.champion(), registry.domain()):
                assert pointer is None or VERSION.fullmatch(pointer)
            with contextlib.suppress(RegistryError):
                registry.withdraw(["v0003"])
                assert "v0003" in registry.withdrawn()
            with contextlib.suppress(RegistryError), registry.draft() as draft:
                assert draft.version not in registry.versions()
                assert VERSION.fullmatch(draft.version)
            if "v0002/vocabulary.json" in spoilt or "v0002/tokenizer.json" in spoilt:
                with contextlib.suppress(CorruptVersionError):
                    FillModel(folder / "v0002", threads=1).fill(["Nike shoes are very [MASK]"], top=3)
            assert sorted(home.iterdir()) == outside
            assert registry.versions() == ["v0001", "v0002", "v0003"]
        finally:
            for name in NAMES:
                if name in before:
                    (folder / name).write_bytes(before[name])
                else:
                    (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / "v0002.partial", ignore_errors=True)

    yield check
