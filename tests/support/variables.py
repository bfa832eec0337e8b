"""Which variables of the environment are settings of fillbot's that tests must not inherit."""

ALLOW_WEAK_BASE = "FILLBOT_ALLOW_WEAK_BASE"  # set for all tests: most start from untrained models


def is_setting(name: str) -> bool:
    """Whether a variable is a setting that a developer may have set."""
    return name.upper().startswith(("FILLBOT_", "DISCORD_TOKEN")) and name != ALLOW_WEAK_BASE
