"""Which mistyped commands are taken for ours, and which are left to other bots."""

import pytest
from support.commands import declared

from bot.features.did_you_mean import suggest_command

COMMANDS = declared()
ASKED = "shoes are very [MASK]"


def suggested(typed: str, text: str) -> str | None:
    return suggest_command(typed, text, COMMANDS.values())


@pytest.mark.parametrize(
    ("typed", "rest", "name"),
    [
        ("retrian", "", "retrain"),
        ("retran", "", "retrain"),
        ("retrainn", "domain", "retrain"),
        ("RETRIAN", "", "retrain"),
        ("rolback", "v0003", "rollback"),
        ("rollbcak", "", "rollback"),
        ("mydta", "", "mydata"),
        ("mydataa", "", "mydata"),
        ("forgtme", "", "forgetme"),
        ("forget-me", "", "forgetme"),
        ("opt-out", "", "optout"),
        ("optuot", "", "optout"),
        ("opt-in", "", "optin"),
        ("verisons", "", "versions"),
        ("modell", "", "model"),
        ("fil", ASKED, "fill"),
        ("filll", ASKED, "fill"),
        ("flil", ASKED, "fill"),
        ("file", ASKED, "fill"),
        ("full", "shoes are very [mask]", "fill"),
        ("comapre", ASKED, "compare"),
        ("score", ASKED, "scores"),
        ("wyh", f"soft {ASKED}", "why"),
    ],
)
def test_a_slip_that_can_only_be_ours_is_helped(typed: str, rest: str, name: str) -> None:
    assert suggested(typed, f"!{typed} {rest}") == (name if name in COMMANDS else None)


@pytest.mark.parametrize(
    "text",
    [
        *("play never gonna", "p", "pause", "skip", "stop", "queue", "np", "resum", "resumed", "volume 5"),
        *("ban ann", "kick ann", "mute ann", "warn ann", "purge 10", "clear", "slowmode 5", "mod", "mods"),
        *("rank", "level", "levels", "leaderboard", "xp", "daily", "balance", "bal", "work", "shop", "pay"),
        *("roll 2d6", "rolls", "role", "roles", "poll tea?", "polls", "flip", "coinflip", "8ball", "trivia"),
        *("stat", "stas", "status", "state", "start", "static", "ping", "info", "userinfo", "serverinfo"),
        *("helpme", "hlep", "hel", "halp", "hepl", "commands", "cmds", "about", "invite", "support"),
        *("file", "full", "feel", "bill", "kill", "pill", "fil", "filter", "filters", "film", "fall me"),
        *("mode", "modes", "models", "modal", "version", "option", "options", "reports", "repport", "reprot"),
        *(
            "exports",
            "import",
            "exprt",
            "quizz",
            "quizzes",
            "qiuz",
            "score",
            "scoer",
            "score ann",
            "scoreboard",
        ),
        *("retain", "restrain", "refrain", "train", "compared", "who", "what", "when", "way", "y", "whois"),
        *("forget", "remind me", "remindme", "data", "mydate", "out", "in", "opt", "rollbacks", "back"),
        *("", "!", "!!", "?", "…", "fillbot", "fill-in", "f", "re"),
        # Too far from any of ours, though something is asked.
        *(f"ask {ASKED}", f"play {ASKED}", f"pill {ASKED}", f"guess {ASKED}", f"translate {ASKED}"),
    ],
)
def test_what_another_bot_may_have_is_left_to_it(text: str) -> None:
    assert suggested(text.split(" ")[0], f"!{text}") is None


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_of_ours_is_no_slip(name: str) -> None:
    assert suggested(name, f"!{name} {ASKED}") is None
