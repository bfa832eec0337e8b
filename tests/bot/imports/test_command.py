"""`python -m bot import`: what it says is what is stored, and what a run would learn from."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.databases import rows

from bot import __main__ as program
from storage.settings import Settings
from training.votes.checks.votes import run_checks

FILE = "sentence,wanted,unwanted\nNike shoes are very [MASK],Light|comfy,ugly\nNo blank,x,\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILLBOT_HOME", str(tmp_path))
    monkeypatch.setattr(program, "set_up_logging", lambda *_args, **_secrets: None)
    path = tmp_path / "guide.csv"
    path.write_text(FILE, encoding="utf-8")
    return str(path)


def stored(home: Path) -> list[tuple[object, ...]]:
    return sorted(rows(home, "SELECT word, value, weight FROM votes"))


def test_words_are_previewed_stored_judged_and_undone(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["import", file, "--source", "guide", "--dry-run"]) == 0
    dry = capsys.readouterr().out
    assert not (tmp_path / "fillbot.db").exists()

    assert program.main(["import", file, "--source", "guide", "--weight", "2,0"]) == 0
    said = capsys.readouterr().out
    assert dry.splitlines()[0] == said.splitlines()[0] == "1 sentence would be imported as “guide”."
    assert "2 words that fit and 1 that don't" in said
    assert stored(tmp_path) == [("comfy", 1, 2.0), ("light", 1, 2.0), ("ugly", -1, 2.0)]

    checked = run_checks(
        Settings(_env_file=None).url, tmp_path / "checks", as_of=datetime.now(UTC), min_voters=2, denied=[]
    )
    judged = {(one.word, one.is_wanted) for one in checked.judgements}
    assert judged == {("comfy", True), ("light", True), ("ugly", False)}

    assert program.main(["import", file, "--source", "guide"]) == 1
    assert "already imported as guide" in capsys.readouterr().out
    assert program.main(["import", "--undo", "--source", "guide"]) == 0
    assert "3 words were deleted" in capsys.readouterr().out
    assert stored(tmp_path) == []


@pytest.mark.parametrize(
    "arguments", [["--weight", "0"], ["--weight", "nan"], ["--weight", "much"], ["--source", " "]]
)
def test_wrong_arguments_are_refused(
    file: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        program.main(["import", file, "--source", "guide", *arguments])
    assert refused.value.code == 2
    limit = "a name of up to 60 characters" if arguments[0] == "--source" else "above 0 and up to 5"
    assert limit in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_sentence(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["import", "none.csv", "--source", "guide"]) == 1
    assert "none.csv" in capsys.readouterr().out
