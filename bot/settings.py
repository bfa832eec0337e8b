"""All settings of the bot, including those of `training.settings`; `.env.example` is generated from them."""

import difflib
import re
from datetime import time
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from yarl import URL

import training.settings
from bot.distributed.shards import Shards
from bot.errors import StartError
from bot.texts import DEFAULT, languages
from storage.backends.locks import is_shared
from storage.errors import SettingsError
from storage.settings import load
from training.locations import is_loopback

MAX_ROLE_WEIGHT = 5.0


def _ids(least: int) -> BeforeValidator:
    def split(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = [part for part in re.split(r"[,\s]+", value) if part]
        if not all(_is_id(part, least=least) for part in parts):
            raise ValueError("expected ids (numbers) separated by commas")
        return tuple(int(part) for part in parts)

    return BeforeValidator(split)


def _is_id(text: str, *, least: int = 1) -> bool:
    return re.fullmatch(r"[0-9]{1,20}", text, re.ASCII) is not None and least <= int(text) < 2**63


def _id(value: Any) -> Any:
    if isinstance(value, str) and not _is_id(value):
        raise ValueError("expected an id (a number of up to 20 digits); copy it from Discord")
    return value


def _weights_by_role(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found: dict[str, float] = {}
    for part in filter(None, map(str.strip, value.split(","))):
        role, _, weight = (each.strip() for each in part.rpartition("="))
        if not role or not re.fullmatch(r"[0-9]+(\.[0-9]*)?", weight, re.ASCII):
            raise ValueError(
                f"expected roles with weights, such as Product team=2, Support=0.5, not {part}; for a "
                "role whose name has a comma, write its id"
            )
        if float(weight) > MAX_ROLE_WEIGHT:
            raise ValueError(f"the weight of {role} must be between 0 and {MAX_ROLE_WEIGHT:g}")
        if role.casefold() in map(str.casefold, found):
            raise ValueError(f"{role} has two weights; keep one of them")
        found[role] = float(weight)
    return tuple(found.items())


def _hours_and_minutes(value: Any) -> Any:
    """Accept only HH:MM: pydantic reads 3 as 3 s past midnight, and would drop a time zone."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::00)?", value, re.ASCII)
    if found is None:
        raise ValueError("expected hours and minutes such as 03:00 or 15:30; FILLBOT_TIMEZONE is the zone")
    return time(int(found[1]), int(found[2]))


def _address(value: str) -> str:
    try:
        return str(ip_address(value.removeprefix("[").removesuffix("]")))
    except ValueError as error:
        if re.fullmatch(r"(?=.*[A-Za-z])[\w.-]+", value, re.ASCII):
            return value
        raise ValueError(
            "expected an address of this machine such as 127.0.0.1; the port is FILLBOT_HEALTH_PORT"
        ) from error


def _language(value: str) -> str:
    if value not in languages():
        raise ValueError(f"there are no texts in this language; choose one of {', '.join(languages())}")
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        near = difflib.get_close_matches(value.title(), sorted(available_timezones()), n=1)
        meant = f"; did you mean {near[0]}" if near else ""
        raise ValueError(f"not a time zone; expected a name such as Europe/Berlin{meant}")
    return value


def _url_of_discord(plain: str, secure: str) -> AfterValidator:
    def checked(value: str) -> str:
        try:
            url = URL(value)  # the parser that the client uses
        except ValueError as error:
            raise ValueError("not an address") from error
        if url.scheme not in (plain, secure) or not url.host:
            raise ValueError(f"expected an address that begins with {secure}://")
        if url.user is not None or url.password is not None:
            raise ValueError("expected an address without a name or password")
        if url.scheme == plain and not is_loopback(url.host):
            raise ValueError(f"{url} would carry the token in clear text; use {secure}://")
        return str(url)

    return AfterValidator(checked)


def _url_of_service(value: str) -> str:
    url = URL(value)
    is_address = url.scheme in ("http", "https") and url.host and not re.search(r"\s", url.host)
    if not is_address or url.user or url.password:
        raise ValueError("expected an address such as http://host:8000/fill, without a name or password")
    return value


Ids = Annotated[tuple[int, ...], _ids(1)]
ShardIds = Annotated[tuple[int, ...], _ids(0)]  # Discord numbers shards from 0, and nothing else
RoleWeights = Annotated[tuple[tuple[str, float], ...], BeforeValidator(_weights_by_role)]


class Settings(training.settings.Settings):
    """The settings of the bot, read once in `main()`."""

    prefix: str = Field(
        default="!",
        pattern=r"^\S{1,5}$",
        description="Chat commands begin with this prefix of 1 to 5 characters.",
    )
    guild_ids: Ids = Field(
        default=(),
        description="The bot works only in the servers (guilds) with these ids, separated by commas. "
        "Required with a token.",
    )
    admin_role_ids: Ids = Field(
        default=(),
        description="Members with a role of these ids are admins, as is everyone who may manage the server.",
    )
    role_weights: RoleWeights = Field(
        default=(),
        description="Votes of members with these roles, named or by id, have these weights from 0 (not "
        "counted) to 5, such as Product team=2, 123456789012345678=0.5. All other votes have weight 1. If a "
        "member has several of the roles, the highest weight applies. A vote keeps the weight that it was "
        "cast with. FILLBOT_MIN_VOTERS counts people, not weights.",
    )
    report_channel_id: Annotated[int | None, BeforeValidator(_id)] = Field(
        default=None,
        description="The channel with this id gets the digests of nightly runs and notices of problems. "
        "If it is empty, they are only logged.",
    )
    listen_channel_ids: Ids = Field(
        default=(),
        description="In the channels with these ids, separated by commas, and in their threads, a sentence "
        "with a blank written as [MASK], <mask> or ___ is answered without a command.",
    )
    language: Annotated[str, AfterValidator(_language)] = Field(
        default=DEFAULT,
        description="The bot speaks this language, one of those in bot/texts.",
    )
    nightly_at: Annotated[time, BeforeValidator(_hours_and_minutes)] = Field(
        default=time(3, 0), description="The nightly run starts at this time of day, as HH:MM."
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="The nightly run's start is in this time zone, such as Europe/Berlin."
    )
    sandbox_port: int = Field(
        default=8765, ge=0, le=65535, description="The sandbox serves its page on this port of this machine."
    )
    sandbox_rate_limits: bool = Field(
        default=True,
        description="If true, the sandbox applies Discord's rate limits, such as 5 messages in 5 s "
        "per channel.",
    )
    run_timeout_s: int = Field(
        default=7200, ge=10, le=604800, description="A training run is cancelled after this many seconds."
    )
    proof_max_answers: int = Field(
        default=1000,
        ge=50,
        le=100_000,
        description="With FILLBOT_PROMOTION=proof, two versions answer together until votes have decided at "
        "most this many answers; if they prove nothing by then, the champion stays.",
    )
    proof_days: float = Field(
        default=14,
        gt=0,
        le=365,
        description="With FILLBOT_PROMOTION=proof, two versions answer together for at most this many days; "
        "if votes prove nothing by then, the champion stays.",
    )
    rollback_check_every_s: int = Field(
        default=300,
        ge=1,
        le=86400,
        description="The approval of a newly promoted version is checked for an automatic rollback "
        "at this interval in seconds.",
    )
    reconcile_days: int = Field(
        default=14,
        ge=1,
        le=30,
        description="After a downtime, thumbs that changed meanwhile are read back on replies "
        "up to this many days old.",
    )
    reconcile_replies: int = Field(
        default=2000,
        ge=50,
        le=100_000,
        description="After a downtime, thumbs are read back on at most this many of the newest replies.",
    )
    retention_days: int | None = Field(
        default=None,
        ge=30,
        le=36_500,
        description="Votes, and queries without votes, are deleted after this many days. "
        "If it is empty, they are kept forever.",
    )
    max_query_chars: int = Field(
        default=400, ge=20, le=1500, description="A query may have at most this many characters."
    )
    max_masks: int = Field(default=3, ge=1, le=5, description="A query may have at most this many masks.")
    discord_api_url: Annotated[str, _url_of_discord("http", "https")] | None = Field(
        default=None,
        description="Discord's HTTP API is reached at this URL. If it is empty, the official URL is used.",
    )
    discord_gateway_url: Annotated[str, _url_of_discord("ws", "wss")] | None = Field(
        default=None,
        description="Discord's gateway is reached at this URL. If it is empty, the official URL is used.",
    )
    shard_count: int = Field(
        default=1,
        ge=1,
        le=16_384,
        description="The bot has this many shards in total; Discord requires at least one per 2,500 servers.",
    )
    shard_ids: ShardIds = Field(
        default=(),
        description="This process runs these shards, such as 0,1; other processes run the others. "
        "If it is empty, this process runs all shards.",
    )
    serving_url: Annotated[str, AfterValidator(_url_of_service)] | None = Field(
        default=None,
        description="Queries are answered by the inference service at this URL in a private network, such as "
        "http://host:8000/fill. If it is empty, this process answers them.",
    )
    health_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="The endpoints /healthz, /readyz and /metrics listen on this port. "
        "If it is empty, they are off.",
    )
    health_host: Annotated[str, AfterValidator(_address)] = Field(
        default="127.0.0.1",
        description="The health endpoints listen on this address; 0.0.0.0 opens them to every machine "
        "that can reach this one.",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = Field(
        default="INFO",
        description="Entries of this level and above are logged; query texts appear only at DEBUG.",
    )

    @field_validator("discord_token")
    @classmethod
    def _is_one_word(cls, value: SecretStr | None) -> SecretStr | None:
        """Strip blanks, so that the token that is sent is the one redacted in the log."""
        if value is None:
            return None
        token = value.get_secret_value().strip()
        if not re.fullmatch(r"[ -~]+", token):
            raise ValueError("not a token; copy it again from the developer portal (Bot → Reset Token)")
        return SecretStr(token)

    @model_validator(mode="after")
    def _is_consistent(self) -> "Settings":
        if self.discord_token is not None and not self.guild_ids:
            raise ValueError(
                "with DISCORD_TOKEN set, FILLBOT_GUILD_IDS must list the servers the bot may work in"
            )
        if any(one >= self.shard_count for one in self.shard_ids):
            raise ValueError(
                f"FILLBOT_SHARD_IDS must lie between 0 and {self.shard_count - 1}, as FILLBOT_SHARD_COUNT is "
                f"{self.shard_count}"
            )
        if len(set(self.shard_ids)) < len(self.shard_ids):
            raise ValueError("FILLBOT_SHARD_IDS names a shard twice")
        if self.shards.is_whole:
            return self
        others = "FILLBOT_SHARD_IDS leaves shards to other processes"
        if self.discord_token is None:
            raise ValueError(f"{others}, which cannot reach this one's sandbox: set DISCORD_TOKEN")
        if not is_shared(self.url):
            raise ValueError(f"{others}, which need one database: set FILLBOT_DATABASE_URL to PostgreSQL")
        if not self._shares_models:
            raise ValueError(
                f"{others}, which need the same models: set FILLBOT_MODELS_URL, or make the folder models in "
                "FILLBOT_HOME a link to one that all processes share"
            )
        return self

    @property
    def shards(self) -> Shards:
        """The shards of this process."""
        return Shards(self.shard_ids or tuple(range(self.shard_count)), self.shard_count)

    @property
    def _shares_models(self) -> bool:
        folder = self.models_dir
        return bool(self.models_url) or folder.is_symlink() or folder.is_mount()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the nightly run."""
        return ZoneInfo(self.timezone)


def load_settings(**values: Any) -> Settings:
    """Read the environment and `.env`.

    Raises:
        StartError: a setting is invalid; the message names it.
    """
    try:
        return load(Settings, **values)
    except SettingsError as error:
        raise StartError(str(error)) from error
