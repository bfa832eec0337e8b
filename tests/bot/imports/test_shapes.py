"""CSV, JSON lines and the exports of Argilla and Label Studio say the same; who answered is not read."""

import json

import pytest

from bot.errors import ImportFileError
from bot.imports.shapes import Opinion, read_opinions

SHOES, PARCEL = "Nike shoes are very [MASK].", "The parcel was [MASK]."
ALL = [Opinion(SHOES, "light", True), Opinion(SHOES, "comfy", True), Opinion(SHOES, "ugly", False)]
LABELLED = [Opinion(SHOES, "light", True), Opinion(SHOES, "ugly", False)]


def lines(*records: object) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def array(*records: object) -> bytes:
    return json.dumps(records).encode()


def of_argilla(word: str, label: str, **more: object) -> dict[str, object]:
    answer = {"value": label, "user_id": "1b8d-ann", **more}
    return {"id": word, "fields": {"text": SHOES, "word": word}, "responses": {"label": [answer]}}


def of_label_studio(word: str, label: str, **more: object) -> dict[str, object]:
    result = {"from_name": "fit", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    return {
        "data": {"text": SHOES, "word": word},
        "annotations": [{"completed_by": {"email": "ann@example.org"}, "result": [result], **more}],
    }


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", f"sentence,wanted,unwanted\r\n{SHOES},light|comfy,ugly\r\n".encode(), ALL),
        ("a.csv", f"\ufeffText;Good;Bad\n{SHOES};light, comfy;ugly\n".encode(), ALL),
        ("a.csv", f"query,mask,word,up,down\n{SHOES},0,light,2.5,0.0\n{SHOES},0,ugly,0,1\n".encode(),
            [Opinion(SHOES, "light", True, 0), Opinion(SHOES, "ugly", False, 0)]),
        ("a.jsonl", lines({"sentence": SHOES, "wanted": ["light", "comfy"], "unwanted": ["ugly"]}), ALL),
        ("a.jsonl", lines({"prompt": SHOES, "chosen": "light", "rejected": "ugly"}), LABELLED),
        (
            "a.jsonl",
            lines(
                {"prompt": SHOES, "completion": "light", "label": True},
                {"prompt": SHOES, "completion": "ugly", "label": False},
            ),
            LABELLED,
        ),
        # Argilla 2: records.to_json, with labels, with a ranking, and one that was discarded
        ("a.json", array(of_argilla("light", "wanted"), of_argilla("ugly", "unwanted")), LABELLED),
        ("a.jsonl", lines(of_argilla("light", "wanted", status="discarded")), []),
        (
            "a.jsonl",
            lines(
                {
                    "fields": {"text": SHOES},
                    "responses": {
                        "order": [
                            {
                                "value": [
                                    {"value": "ugly", "rank": 3},
                                    {"value": "warm", "rank": 2},
                                    {"value": "light", "rank": 1},
                                ],
                                "user_id": "x",
                            }
                        ]
                    },
                }
            ),
            [Opinion(SHOES, "ugly", False), Opinion(SHOES, "light", True)],
        ),
        # Argilla 1
        (
            "a.jsonl",
            lines(
                {
                    "fields": {"text": SHOES},
                    "responses": [
                        {
                            "user_id": "x",
                            "status": "submitted",
                            "values": {
                                "wanted": {"value": ["light", "comfy"]},
                                "unwanted": {"value": "ugly"},
                            },
                        }
                    ],
                }
            ),
            ALL,
        ),
        # Argilla's to_datasets
        ("a.jsonl", lines({"text": SHOES, "wanted.responses": [["light"], ["comfy"]],
            "wanted.responses.users": ["x", "y"], "unwanted.responses": ["ugly"]}), ALL),
        # Label Studio: choices about a word, words in a text area, a ranker's buckets, a cancelled task
        ("a.json", array(of_label_studio("light", "Good"), of_label_studio("ugly", "Bad")), LABELLED),
        ("a.json", json.dumps([of_label_studio("light", "Good", was_cancelled=True)]).encode(), []),
        (
            "a.json",
            json.dumps(
                [
                    {
                        "data": {"sentence": SHOES},
                        "annotations": [
                            {
                                "result": [
                                    {"from_name": "wanted", "value": {"text": ["light", "comfy"]}},
                                    {"from_name": "order", "value": {"ranker": {"unwanted": ["ugly"]}}},
                                ]
                            }
                        ],
                    }
                ]
            ).encode(),
            ALL,
        ),
        # Label Studio's JSON_MIN
        ("a.json", json.dumps([{"text": SHOES, "wanted": {"choices": ["light", "comfy"]}, "unwanted": "ugly",
            "annotator": 3, "lead_time": 1.2}]).encode(), ALL),
    ],
)  # fmt: skip
def test_every_shape_says_the_same(name: str, data: bytes, expected: list[Opinion]) -> None:
    assert list(read_opinions(name, data)) == expected


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.xlsx", b"PK", "must end in"),
        ("a.csv", "sentence,wanted\nGrüße,x".encode("utf-16"), "UTF-8"),
        ("a.jsonl", b'{"sentence": ', "cannot be read"),
        ("a.jsonl", b"[" * 100_000, "cannot be read"),
        ("a.json", b"[1, 2]", "is not an object"),
        ("a.csv", b'sentence,wanted\n"never closed,x\n', "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(name: str, data: bytes, said: str) -> None:
    with pytest.raises(ImportFileError, match=said):
        list(read_opinions(name, data))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"sentence": 3, "wanted": None},
        {"data": {}, "annotations": [None, {"result": [3, {"value": None}]}]},
        {"fields": {"text": SHOES}, "responses": {"wanted": 3}},
        {"fields": {"text": SHOES}, "responses": [None, {"values": {"wanted": None}}]},
        {"sentence": SHOES, "wanted": [[["deep", {"choices": None}]]]},
        {"word": "light", "label": "wanted"},
    ],
)
def test_odd_records_are_no_trouble(record: object) -> None:
    assert all(one.word == "deep" for one in read_opinions("a.jsonl", lines(record)))
