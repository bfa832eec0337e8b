"""`python -m training bases`: figures that were measured, and a sentence for what cannot be used."""

import json
from pathlib import Path

import pytest

from training import __main__ as training_main
from training.registry.versions import Registry


@pytest.mark.long
def test_bases_are_measured_on_the_same_work(
    compact_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    base = tmp_path / "base"
    base.symlink_to(Registry(compact_models).path("v0001"))
    picture = tmp_path / "bases.png"
    names = [str(base), str(tmp_path / "nowhere")]
    assert training_main.main(["bases", *names, "--json", "--out", str(picture)]) == 0
    measured, missing = json.loads(capsys.readouterr().out)["bases"]
    assert (measured["name"], measured["kind"], measured["refused"]) == ("base", "distilbert", None)
    assert measured["known"] > 0.5
    assert measured["wanted_after"] > measured["wanted"]
    assert measured["night"] in ("promoted", "rejected")
    assert measured["milliseconds"] > 0
    assert missing["name"] == "nowhere"
    assert "no such folder" in missing["refused"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_a_usable_base_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert training_main.main(["bases", str(tmp_path / "nowhere")]) == 1
    assert "there is no such folder" in capsys.readouterr().out
