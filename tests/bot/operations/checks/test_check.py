"""`python -m bot check` against a sandbox that stands for Discord, and against what a machine may lack."""

import asyncio
import re
import shutil
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import discord
import pytest
from support.app import Ended, environment, spawn
from support.databases import TEMPLATE, of_sqlite
from support.sandbox_faults import faults_of
from support.sandbox_world import add_channel, add_thread, archive_thread, deny, reopen_thread
from support.tiny import tiny_distilbert, tiny_tokenizer
from support.wire import settings_for, untouched_discord, wired

from bot.__main__ import main
from bot.operations.checks import machine_checks
from bot.operations.checks.result import exit_code_of, failed, passed, skipped, unavailable
from bot.operations.checks.run import check
from bot.sandbox.server import Sandbox
from bot.sandbox.world.permissions import EVERYONE, Permission
from bot.sandbox.world.state import ChannelKind, Overwrite
from storage.database import Database
from storage.maintenance.backups import back_up_today
from training.models.torch_model import MaskedLm
from training.settings import DEFAULT_BASE_MODEL

TOKEN = "MTEwMDAwMDAwMDAwMDAwMDMwMQ.GxYz12.right-t0ken-right-t0ken-right"
Checked = tuple[int, dict[str, str]]


async def checked(settings: Any, *, now: datetime | None = None) -> Checked:
    """The exit code, and each finding by its name: its line and, below, its fix."""
    told: list[str] = []
    with untouched_discord():
        code = await check(settings, told.append, now=(lambda: now) if now else lambda: datetime.now(UTC))
    (table,) = told
    assert TOKEN not in table
    found: dict[str, str] = {}
    name = ""
    for line in table.splitlines():
        if line[0] in "✓✗–":
            name = line[2:].split("  ")[0].strip()
            found[name] = f"{line[0]} {line[2:].removeprefix(name).strip()}"
        else:
            found[name] += f"\n{line.strip()}"
    return code, found


async def against(sandbox: Sandbox, home: Path, *, now: datetime | None = None, **settings: Any) -> Checked:
    """Check with a token, this sandbox being Discord."""
    values = {
        "discord_token": TOKEN,
        "guild_ids": (sandbox.guild_id,),
        "report_channel_id": sandbox.reports_channel_id,
        "admin_role_ids": (sandbox.admin_role_id,),
        "discord_api_url": sandbox.api_url,
        "discord_gateway_url": sandbox.gateway_url,
        "base_model": str(home / "models" / "v0001"),
        "device": "cpu",
        **settings,
    }
    return await checked(settings_for(home, **values), now=now)


async def test_what_the_language_of_the_corpus_lacks_is_said(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home, corpus_language="fr")
    assert code == 0
    assert found["language"] == (
        "– fr has no sentence patterns, lists of good and bad words, suites, behaviour tests, denied words, "
        "grammar: runs learn and are judged without them, and an admin decides about each version"
    )


async def test_no_base_model_of_the_language_is_said(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home, corpus_language="fr", base_model=DEFAULT_BASE_MODEL)
        _, german = await against(sandbox, home, corpus_language="de", base_model=DEFAULT_BASE_MODEL)
    assert code != 0
    assert found["base model"].startswith("✗ none set for fr")
    assert german["base model"] == "– none set for de: the starter is trained"


async def test_all_is_well(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home)
    assert code == 0
    assert found["token"] == "✓ Discord knows it: fillbot"
    assert found["intents"] == "✓ Message Content is on"
    assert found["clock"] == "✓ as Discord's"
    assert found["server"] == "✓ Sportswear team: works in 2 of 2 text channels"
    assert found["report channel"] == "✓ #reports in Sportswear team"
    assert found["admin roles"] == "✓ 1 of 1 exist"
    assert found["model"].startswith("✓ v0001 answers")
    assert found["base model"].startswith("✓")
    assert found["language"].startswith("✓ en: patterns")
    assert TEMPLATE or found["database"] == "– none yet: the first start makes it"


async def test_without_a_token_the_rest_is_checked(home: Path) -> None:
    code, found = await checked(settings_for(home, base_model=str(home / "models" / "v0001")))
    assert code == 0
    assert found["token"] == "– DISCORD_TOKEN is not set: the sandbox on this machine would be used"
    assert found["model"].startswith("✓")
    assert "server" not in found


async def test_it_works_while_the_bot_runs(home: Path) -> None:
    async with wired(home):
        code, found = await checked(settings_for(home, base_model=str(home / "models" / "v0001")))
    assert code == 0
    if TEMPLATE:
        assert "about 0 candidates" in found["database"]
    else:
        assert found["database"] == "✓ whole and writable, 0 votes"
        assert found["backup"].startswith("– none yet")


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("Bot " + TOKEN, "it begins with “Bot ”"),
        ("0123456789abcdef", "three parts with dots between"),
        (TOKEN[:-1] + "X", "✗ Discord refuses it\n"),
    ],
)
async def test_a_wrong_token(home: Path, token: str, said: str) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home, discord_token=token)
    assert code == 78
    assert said in found["token"]
    assert "→ Copy it again from the developer portal" in found["token"]
    assert token not in str(found)
    assert found["model"].startswith("✓")  # the rest is checked all the same


async def test_a_missing_intent(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN, message_content_allowed=False) as sandbox:
        code, found = await against(sandbox, home)
    assert code == 78
    assert found["intents"].startswith("✗ Message Content is off: typed commands")
    assert "→ Switch it on" in found["intents"]


def allow(sandbox: Sandbox, permissions: int) -> None:
    """Let every role of the bot allow just these."""
    for role_id in (sandbox.guild_id, *sandbox.world.members[sandbox.guild_id, sandbox.bot_user_id].role_ids):
        sandbox.world.roles[role_id] = replace(sandbox.world.roles[role_id], permissions=permissions)


@pytest.mark.parametrize(
    ("permission", "name"),
    [
        (Permission.EMBED_LINKS, "Embed Links"),
        (Permission.ATTACH_FILES, "Attach Files"),
        (Permission.ADD_REACTIONS, "Add Reactions"),
        (Permission.READ_MESSAGE_HISTORY, "Read Message History"),
        (Permission.SEND_MESSAGES_IN_THREADS, "Send Messages In Threads"),
    ],
)
async def test_a_missing_permission_is_named_with_its_channels(
    home: Path, permission: Permission, name: str
) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        allow(sandbox, int(EVERYONE & ~permission))
        code, found = await against(sandbox, home)
    assert code == 78
    assert f"missing {name} in #support, #reports" in found["server"]
    assert "https://discord.com/oauth2/authorize?client_id=" in found["server"]


@pytest.mark.parametrize("permission", [Permission.VIEW_CHANNEL, Permission.SEND_MESSAGES])
async def test_a_server_without_a_channel_to_work_in(home: Path, permission: Permission) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        allow(sandbox, int(EVERYONE & ~permission))
        code, found = await against(sandbox, home)
    assert code == 78
    assert "no channel to work in" in found["server"]
    assert found["report channel"].startswith("✗")


async def test_a_channel_that_the_bot_may_only_read_is_no_fault(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        channel = add_channel(sandbox, "announcements")
        denied = int(Permission.SEND_MESSAGES)
        quiet = (Overwrite(sandbox.guild_id, is_member=False, allow=0, deny=denied),)
        sandbox.world.channels[channel.id] = replace(channel, overwrites=quiet)
        code, found = await against(sandbox, home)
        assert code == 0
        assert found["server"] == "✓ Sportswear team: works in 2 of 3 text channels"
        code, found = await against(sandbox, home, report_channel_id=channel.id)
        assert code == 78
        assert found["report channel"].startswith("✗ #announcements: missing Send Messages")


@pytest.mark.parametrize("kind", [ChannelKind.FORUM, ChannelKind.MEDIA, ChannelKind.CATEGORY])
async def test_a_report_channel_that_takes_no_messages(home: Path, kind: ChannelKind) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        channel = add_channel(sandbox, "verdicts", kind=kind)
        code, found = await against(sandbox, home, report_channel_id=channel.id)
    assert code == 78
    assert found["report channel"].startswith("✗ #verdicts is a ")
    assert "→ Set FILLBOT_REPORT_CHANNEL_ID to a text channel" in found["report channel"]


@pytest.mark.parametrize("kind", [ChannelKind.ANNOUNCEMENT, ChannelKind.VOICE, ChannelKind.STAGE])
async def test_a_report_channel_of_another_kind_with_messages(home: Path, kind: ChannelKind) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        channel = add_channel(sandbox, "verdicts", kind=kind)
        code, found = await against(sandbox, home, report_channel_id=channel.id)
        assert (code, found["report channel"]) == (0, "✓ #verdicts in Sportswear team")
        deny(sandbox, channel.id, sandbox.bot_user_id, Permission.READ_MESSAGE_HISTORY)
        code, found = await against(sandbox, home, report_channel_id=channel.id)
    assert code == 78
    assert "missing Read Message History" in found["report channel"]


@pytest.mark.parametrize("parent", [ChannelKind.TEXT, ChannelKind.FORUM])
async def test_a_thread_as_report_channel(home: Path, parent: ChannelKind) -> None:
    """It may be written in although its parent takes no messages."""
    async with Sandbox(bot_token=TOKEN) as sandbox:
        channel = add_channel(sandbox, "verdicts", kind=parent)
        deny(sandbox, channel.id, sandbox.bot_user_id, Permission.SEND_MESSAGES)
        thread = add_thread(sandbox, "nights", parent_id=channel.id)
        code, found = await against(sandbox, home, report_channel_id=thread.id)
        assert (code, found["report channel"]) == (0, "✓ #nights in Sportswear team")
        archive_thread(sandbox, thread.id)
        code, found = await against(sandbox, home, report_channel_id=thread.id)
        assert code == 78
        assert "archived thread" in found["report channel"]
        reopen_thread(sandbox, thread.id)
        deny(sandbox, channel.id, sandbox.bot_user_id, Permission.SEND_MESSAGES_IN_THREADS)
        code, found = await against(sandbox, home, report_channel_id=thread.id)
    assert code == 78
    assert "missing Send Messages In Threads" in found["report channel"]


@pytest.mark.parametrize(
    ("kind", "permission", "name"),
    [
        (ChannelKind.VOICE, Permission.EMBED_LINKS, "Embed Links in #talk"),
        (ChannelKind.STAGE, Permission.ADD_REACTIONS, "Add Reactions in #talk"),
        (ChannelKind.ANNOUNCEMENT, Permission.READ_MESSAGE_HISTORY, "Read Message History in #talk"),
        (ChannelKind.FORUM, Permission.ATTACH_FILES, "Attach Files in #talk"),
    ],
)
async def test_every_kind_of_channel_is_looked_at(
    home: Path, kind: ChannelKind, permission: Permission, name: str
) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        channel = add_channel(sandbox, "talk", kind=kind)
        deny(sandbox, channel.id, sandbox.bot_user_id, permission)
        code, found = await against(sandbox, home)
    assert code == 78
    assert f"missing {name}" in found["server"]


async def test_a_voice_channel_that_the_bot_may_not_join_is_no_fault(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        channel = add_channel(sandbox, "talk", kind=ChannelKind.VOICE)
        deny(sandbox, channel.id, sandbox.bot_user_id, Permission.CONNECT)
        add_channel(sandbox, "all of it", kind=ChannelKind.CATEGORY)
        code, found = await against(sandbox, home)
    assert code == 0
    assert found["server"] == "✓ Sportswear team: works in 2 of 2 text channels, 0 of 1 voice channels"


async def test_a_channel_that_cannot_be_read_is_skipped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of a type that is newer than discord.py, or without a field that it counts on."""
    get = discord.http.HTTPClient.get_all_guild_channels

    async def with_odd_ones(http: discord.http.HTTPClient, guild_id: int) -> Any:
        return [{"id": "1", "type": 99, "name": "new"}, {"id": "2", "type": 0}, *await get(http, guild_id)]

    monkeypatch.setattr(discord.http.HTTPClient, "get_all_guild_channels", with_odd_ones)
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home)
        assert code == 0
        assert found["server"] == "✓ Sportswear team: works in 2 of 2 text channels"
        assert found["channels"].startswith("– Sportswear team: skipped")
        assert found["channels"].endswith(": 1, 2")
        code, found = await against(sandbox, home, report_channel_id=1)
    assert code == 78
    assert "of a kind that discord.py does not know" in found["report channel"]


@pytest.mark.parametrize(
    "method", ["get_guild", "get_member", "get_all_guild_channels", "get_active_threads"]
)
@pytest.mark.parametrize("answer", [{}, [], None, {"id": None}, "nonsense"])
async def test_an_answer_that_cannot_be_read_is_a_finding(
    home: Path, monkeypatch: pytest.MonkeyPatch, method: str, answer: Any
) -> None:
    async def odd(*_: object, **__: object) -> Any:
        return answer

    async with Sandbox(bot_token=TOKEN) as sandbox:
        monkeypatch.setattr(discord.http.HTTPClient, method, odd)
        code, found = await against(sandbox, home)
    assert code in (69, 78)
    assert found["server"].startswith("✗") or found["channels"].startswith("–")


@pytest.mark.parametrize(
    "path", ["/guilds/[0-9]+$", "/members/", "/guilds/[0-9]+/channels", "/threads/active"]
)
@pytest.mark.parametrize(("status", "expected"), [(403, 78), (503, 69), ("cut", 69)])
async def test_a_server_that_does_not_say_is_a_finding(
    home: Path, path: str, status: Any, expected: int
) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        if status == "cut":
            faults_of(sandbox).cut("GET", path, times=None)
        else:
            faults_of(sandbox).fail("GET", path, status=status, times=None)
        code, found = await against(sandbox, home, report_channel_id=None, admin_role_ids=())
    assert code == expected
    assert found["server"].startswith("✗")


async def test_ids_that_name_nothing(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        guild_ids = (sandbox.guild_id, 4711)
        code, found = await against(
            sandbox, home, guild_ids=guild_ids, report_channel_id=4712, admin_role_ids=(4713,)
        )
    assert code == 78
    assert "4711: the bot is not a member\n→ Invite it: https://discord.com" in found["server"]
    assert found["report channel"].startswith("✗ 4712 was not found")
    assert found["admin roles"].startswith("✗ 4713: no such role")


async def test_weights_of_roles_that_there_are(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        weights = (("admin", 2.0), (str(sandbox.admin_role_id), 3.0))
        code, found = await against(sandbox, home, role_weights=weights)
    assert code == 0
    assert found["role weights"] == "✓ 2 of 2 exist"


@pytest.mark.parametrize(("name", "near"), [("Admins", " (did you mean Admin?)"), ("Zebra", "")])
async def test_the_weight_of_an_unknown_role_names_the_nearest(home: Path, name: str, near: str) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home, role_weights=((name, 2.0),))
    assert code == 78
    assert found["role weights"].startswith(f"✗ {name}{near}: no such role")
    assert "FILLBOT_ROLE_WEIGHTS" in found["role weights"]


async def test_what_is_not_set_does_not_apply(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home, report_channel_id=None, admin_role_ids=())
    assert code == 0
    assert found["report channel"].startswith("–")
    assert found["admin roles"].startswith("–")
    assert found["role weights"].startswith("–")


async def test_discord_that_cannot_be_reached(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        pass
    code, found = await against(sandbox, home)
    assert code == 69
    assert found["Discord"].startswith("✗ cannot be reached")


async def test_a_clock_that_is_wrong(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        code, found = await against(sandbox, home, now=datetime.now(UTC) + timedelta(hours=1))
    assert code == 78
    assert found["clock"].startswith("✗ 3")
    assert "s from Discord's" in found["clock"]


async def machine(home: Path, **settings: Any) -> Checked:
    """Check without a token."""
    return await checked(settings_for(home, **{"base_model": str(home / "models" / "v0001"), **settings}))


async def test_a_damaged_model(home: Path) -> None:
    (home / "models" / "v0001" / "model.onnx").write_bytes(b"\0")
    code, found = await machine(home)
    assert code == 69
    assert found["model"].startswith("✗")
    assert "python -m training rollback" in found["model"]


@of_sqlite
async def test_a_damaged_database(home: Path) -> None:
    (home / "fillbot.db").write_bytes(b"rubbish " * 1000)
    code, found = await machine(home)
    assert code == 69
    assert found["database"] == (
        "✗ file is not a database\n→ Stop the bot and restore a backup: `python -m storage restore FILE`."
    )


@of_sqlite
async def test_a_backup_that_is_old(home: Path) -> None:
    settings = settings_for(home, base_model=str(home / "models" / "v0001"))
    await (await Database.open(settings.url)).close()
    day = datetime.now(UTC) - timedelta(days=5)
    await asyncio.to_thread(
        back_up_today, home / "fillbot.db", settings.backups_dir, keep=1, today=day.date()
    )
    code, found = await checked(settings)
    assert code == 69
    assert found["backup"].startswith("✗ the newest is ")
    assert (await machine(home, keep_backups=0))[1]["backup"] == "– switched off"


async def test_a_disk_that_is_too_small(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 9 * 10**8, 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, found = await machine(home)
    assert code == 69
    assert found["disk"].startswith("✗ 0.1 GB free, a run may need 0.5 GB")


async def test_a_base_model_that_is_not_there(home: Path) -> None:
    code, found = await machine(home, base_model="./none")
    assert code == 69
    assert "there is no such folder" in found["base model"]


async def test_a_base_model_is_asked_easy_blanks(home: Path, tmp_path: Path) -> None:
    MaskedLm(tiny_distilbert(), tiny_tokenizer(), base="tiny").save(tmp_path / "untrained")
    untrained = str(tmp_path / "untrained")
    code, found = await machine(home, base_model=untrained, allow_weak_base=False)
    assert code != 0
    assert re.match(r"✗ The base model .* fills in only \d+ of \d+ easy blanks", found["base model"])
    code, found = await machine(home, base_model=untrained, allow_weak_base=True)
    assert code == 0
    assert re.search(r"^✓ .* MB, .*, knows \d+% of the easy blanks$", found["base model"])


@pytest.mark.parametrize(
    ("device", "prints", "mark"),
    [
        ("auto", "NVIDIA H200, 143771 MiB", "✓ NVIDIA H200, 143771 MiB"),
        ("auto", None, "– none: runs train on the CPU"),
        ("cuda", None, "✗ none, and FILLBOT_DEVICE=cuda asks for one"),
        ("cpu", "NVIDIA H200, 143771 MiB", "– FILLBOT_DEVICE=cpu: runs train on the CPU"),
    ],
)
async def test_the_gpu_is_asked_of_its_driver(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    device: str,
    prints: str | None,
    mark: str,
) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\necho '{prints}'\n")
    smi.chmod(0o700)
    monkeypatch.setattr(machine_checks.shutil, "which", lambda _: str(smi) if prints else None)
    code, found = await machine(home, device=device)
    assert found["GPU"].startswith(mark)
    assert code == (78 if mark.startswith("✗") else 0)


def test_a_setting_that_must_be_changed_goes_before_a_service_that_is_missing() -> None:
    wrong, missing = failed("a", "x", "y"), unavailable("b", "x", "y")
    assert exit_code_of([passed("c", ""), skipped("d", "")]) == 0
    assert exit_code_of([missing]) == 69
    assert exit_code_of([missing, wrong]) == 78


async def bot(home: Path, *arguments: str, token: str | None = None, **settings: object) -> Ended:
    """`python -m bot …` as a process."""
    env = environment(home, token=token, **settings)
    process = await spawn("bot", *arguments, home=home, env=env, stderr=asyncio.subprocess.PIPE)
    out, error = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), error.decode())


async def test_the_command_prints_the_table_and_never_the_token(home: Path) -> None:
    async with Sandbox(bot_token=TOKEN) as sandbox:
        settings = {
            "GUILD_IDS": sandbox.guild_id,
            "DISCORD_API_URL": sandbox.api_url,
            "DISCORD_GATEWAY_URL": sandbox.gateway_url,
            "BASE_MODEL": home / "models" / "v0001",
        }
        well = await bot(home, "check", token=TOKEN, **settings)
        wrong = await bot(home, "check", token="wr0ng-t0ken", **settings)
    assert well.code == 0
    assert "✓ server" in well.out
    assert wrong.code == 78
    assert "✗ token" in wrong.out
    assert not well.error + wrong.error
    assert TOKEN not in well.out
    assert "wr0ng" not in wrong.out


def test_the_help_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "check token, servers" in said
    assert "python -m storage --help" in said
