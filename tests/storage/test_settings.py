"""`.env` files as editors write them, misspelled names, and paths: read, or refused in one sentence."""

from pathlib import Path

import pytest
from support.databases import TEMPLATE

import bot.settings
from storage.errors import SettingsError
from storage.setting_names import NAMES, RENAMED
from storage.settings import PREFIX, Settings, load, variable_of

TEXT = "# Geöffnet für alle\nFILLBOT_HOME=Büro\nFILLBOT_KEEP_BACKUPS=3\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from a developer's own `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def loaded(content: str | bytes) -> Settings:
    Path(".env").write_bytes(content.encode() if isinstance(content, str) else content)
    return load(Settings, warn=pytest.fail)


def refused(content: str | bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(content)
    sentence = str(caught.value)
    assert sentence.endswith(". See .env.example.")
    assert "\n" not in sentence
    assert "s3cret" not in sentence
    return sentence


def test_every_setting_is_known_by_name() -> None:
    fields = bot.settings.Settings.model_fields.items()
    assert {variable_of(name, field) for name, field in fields} | {f"{PREFIX}DISCORD_TOKEN"} == NAMES
    assert set(RENAMED.values()) <= NAMES
    assert not set(RENAMED) & NAMES


def test_an_old_name_is_read_with_a_warning_that_says_the_new_one() -> None:
    Path(".env").write_text("FILLBOT_LOOK_BACK_DAYS=3\n", encoding="utf-8")
    warnings: list[str] = []
    assert load(bot.settings.Settings, warn=warnings.append).reconcile_days == 3
    [warning] = warnings
    assert "FILLBOT_LOOK_BACK_DAYS" in warning
    assert "FILLBOT_RECONCILE_DAYS" in warning


def test_an_old_name_next_to_the_new_one_with_another_value_is_refused() -> None:
    Path(".env").write_text("FILLBOT_LOOK_BACK_DAYS=3\nFILLBOT_RECONCILE_DAYS=4\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="keep one of them"):
        load(bot.settings.Settings, warn=lambda _sentence: None)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_a_file_of_any_usual_encoding_is_read(encoding: str, line_end: str) -> None:
    settings = loaded(TEXT.replace("\n", line_end).encode(encoding))
    assert (settings.home, settings.keep_backups) == (Path("Büro"), 3)


@pytest.mark.parametrize("content", [b"FILLBOT_HOME=a\x00b\n", b"\xff\xfe\x00", b"FILLBOT_HOME=\x81\x8d\n"])
def test_a_file_that_is_not_text_is_refused(content: bytes) -> None:
    assert ".env" in refused(content)


@pytest.mark.parametrize(
    ("line", "home"),
    [
        ("export FILLBOT_HOME=votes", "votes"),
        ("FILLBOT_HOME = votes", "votes"),
        ("  FILLBOT_HOME=votes  ", "votes"),
        ("fillbot_home=votes", "votes"),
        ('FILLBOT_HOME="votes"', "votes"),
        ("FILLBOT_HOME='votes'", "votes"),
        ("FILLBOT_HOME=“votes”", "votes"),
        ('FILLBOT_HOME="my votes"', "my votes"),
        ("FILLBOT_HOME=my votes", "my votes"),
        ("FILLBOT_HOME=votes # ours", "votes"),
        ("FILLBOT_HOME=votes#1", "votes#1"),
        ("FILLBOT_HOME=a=b", "a=b"),
        ("FILLBOT_HOME=\u00a0votes\u200b", "votes"),
        ("FILLBOT_HOME=${WHERE}/votes", "/srv/votes"),
        ("FILLBOT_HOME=$WHERE/votes", "/srv/votes"),
        ("FILLBOT_HOME=${NOWHERE:-/x}/votes", "/x/votes"),
        ("WHERE_ELSE=/y\nFILLBOT_HOME=${WHERE_ELSE}/votes", "/y/votes"),
        ("FILLBOT_HOME=~/votes", "/home/ann/votes"),
        ("FILLBOT_HOME=file:///srv/votes", "/srv/votes"),
        ("FILLBOT_HOME=", ".fillbot"),
        ("FILLBOT_HOME=''", ".fillbot"),
        ("FILLBOT_HOME=votes\nFILLBOT_HOME=votes", "votes"),
    ],
)
def test_a_line_means_what_a_shell_would_read(line: str, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("WHERE", "/srv")
    assert loaded(f"{line}\n").home == Path(home)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("FILLBOT_HOME\n", "line 1: expected NAME=value"),
        ("\n\nFILLBOT_HOME: votes\n", "line 3: expected NAME=value"),
        ("FILLBOT_PREFIX=!\nhello there\n", "line 2: expected NAME=value"),
        ('DISCORD_TOKEN="s3cret\nFILLBOT_HOME=x\n', "line 1: expected NAME=value with closed quotes"),
        ('FILLBOT_HOME="x" s3cret\n', "line 1: expected NAME=value"),
        ("FILLBOT_HOME=a\nFILLBOT_HOME=s3cret\n", "FILLBOT_HOME in lines 1 and 2"),
        ("FILLBOT_HOME=a\nexport fillbot_home=s3cret\n", "FILLBOT_HOME in lines 1 and 2"),
        ("FILLBOT_HOME=${NOWHERE}/x\n", "the variable ${NOWHERE} is not set"),
        ("FILLBOT_HOME=$NOWHERE/x\n", "FILLBOT_HOME: the variable $NOWHERE is not set"),
        ("FILLBOT_HOME=%APPDATA%/x\n", "FILLBOT_HOME: the variable %APPDATA% is not set"),
        ("FILLBOT_HOME=~unknown-user/x\n", "FILLBOT_HOME: the user after ~ does not exist"),
        ("FILLBOT_HOME=s3://bucket/x\n", "FILLBOT_HOME: expected a path"),
        ("FILLBOT_HOME=.env\n", "FILLBOT_HOME: the folder cannot be written: .env is a file"),
        ("FILLBOT_HOME=.env/votes\n", ".env is a file"),
        ('FILLBOT_HOME=" "\n', "FILLBOT_HOME: it contains only blanks"),
        ("FILLBOT_KEEP_BACKUPS=12abc\n", "FILLBOT_KEEP_BACKUPS: "),
        ("FILLBOT_KEEP_BACKUPS=7 days\n", "FILLBOT_KEEP_BACKUPS: "),
        ("FILLBOT_KEEP_BACKUPS=7.5\n", "FILLBOT_KEEP_BACKUPS: "),
        ("FILLBOT_KEEP_BACKUPS=yes\n", "FILLBOT_KEEP_BACKUPS: "),
        ("FILLBOT_KEEP_BACKUPS=-1\n", "FILLBOT_KEEP_BACKUPS: "),
        ("FILLBOT_DATABASE_URL=mysql://me:s3cret@db/x\n", "FILLBOT_DATABASE_URL: fillbot supports"),
        (
            "FILLBOT_DATABASE_URL=postgres://me:s3cr@et@db/x\n",
            "FILLBOT_DATABASE_URL: the user name or password contains",
        ),
        ("FILLBOT_HOEM=x\n", "FILLBOT_HOEM is not a setting (did you mean FILLBOT_HOME?)"),
        ("FILBOT_HOME=x\n", "did you mean FILLBOT_HOME"),
        ("FILLBOT-HOME=x\n", "did you mean FILLBOT_HOME"),
        ("FILLBOT_NIGHTLY=x\n", "did you mean FILLBOT_NIGHTLY_AT"),
        ("FILLBOT_GUILD_ID=1\n", "did you mean FILLBOT_GUILD_IDS"),
        ("DISCORD_BOT_TOKEN=s3cret\n", "did you mean DISCORD_TOKEN"),
        ("DISCORD_TOKN=s3cret\n", "did you mean DISCORD_TOKEN"),
        ("DISCORD_TOKEN=s3cret\nFILLBOT_DISCORD_TOKEN=s3cret2\n", "keep one of them"),
    ],
)
def test_ambiguous_lines_are_refused(content: str, said: str) -> None:
    if "FILLBOT_DISCORD_TOKEN" in content:
        Path(".env").write_text(content)
        with pytest.raises(SettingsError, match=said):
            load(bot.settings.Settings)
    else:
        assert said in refused(content)


def test_a_misspelt_variable_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILLBOT_DATA_DRI", "/srv")
    with pytest.raises(SettingsError, match=r"DATA_DRI is not a setting \(did you mean FILLBOT_DATA_DIR"):
        load(Settings)


def test_an_unknown_name_that_resembles_no_setting_is_a_warning() -> None:
    told: list[str] = []
    Path(".env").write_text("FILLBOT_COLOUR_OF_THE_SKY=blue\nPOSTGRES_USER=me\n")
    load(Settings, warn=told.append)
    assert ["FILLBOT_COLOUR_OF_THE_SKY" in sentence for sentence in told] == [True]


def test_variables_of_other_programs_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name similar to a setting may belong to another program if that setting has a value."""
    monkeypatch.setenv("DISCORD_TOKEN_2", "s3cret")
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret")
    load(Settings, warn=pytest.fail)


def test_an_empty_variable_is_not_misspelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILLBOT_HOEM", "")
    load(Settings, warn=pytest.fail)


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILLBOT_KEEP_BACKUPS", '"5" ')
    assert loaded(TEXT).keep_backups == 5


def test_a_folder_in_the_place_of_the_file_is_refused() -> None:
    """Docker makes one where a file to mount is missing."""
    Path(".env").mkdir()
    with pytest.raises(SettingsError, match=r"\.env is a folder"):
        load(Settings)


def test_a_virtual_environment_of_that_name_is_ignored() -> None:
    Path(".env").mkdir()
    Path(".env/pyvenv.cfg").touch()
    load(Settings)


@pytest.mark.skipif(bool(TEMPLATE), reason="of a database in a file")
@pytest.mark.parametrize("home", ["what?", "a#b", "100%20", "my votes"])
def test_a_home_of_any_name_has_its_database(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.maintenance.backups import database_file

    monkeypatch.setenv("FILLBOT_HOME", home)
    assert database_file(load(Settings).url) == Path(home) / "fillbot.db"
