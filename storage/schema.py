"""Database tables. Discord ids are 64-bit integers; times are aware UTC."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.engine import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC times, also in SQLite, which stores no time zone. Rejects naive values."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware UTC time."""
        if value is None:
            return None
        time: datetime = value
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


# Both databases sort by code point.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite autoincrements only columns declared as INTEGER.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

predictions = Table(
    "predictions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("guild_id", BigInteger),  # null: a direct message
    Column("channel_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, unique=True),  # of the reply; null until it is sent
    Column("asker_id", BigInteger),
    Column("author_id", BigInteger),  # who wrote the text; null: the asker
    Column("query", TEXT, nullable=False),
    Column("query_hash", String(32), nullable=False),
    Column("model_version", String(32), nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Column("quiz_at", UtcDateTime),  # start of the quiz that offered it; null: not in a quiz
    Index(None, "asker_id"),
    Index(None, "author_id"),
    Index(None, "channel_id", "created_at"),
    Index(None, "query_hash"),
)

candidates = Table(
    "candidates",
    metadata,
    Column("prediction_id", ForeignKey("predictions.id", ondelete="CASCADE"), primary_key=True),
    Column("mask_index", Integer, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("word", TEXT, nullable=False),
    Column("score", Float, nullable=False),  # the bare model's probability
    Column("adjusted", Boolean, nullable=False, default=False),
    # That brought the word, while two versions answer; null: the prediction's, or both.
    Column("model_version", String(32)),
)

votes = Table(
    "votes",
    metadata,
    Column("prediction_id", ForeignKey("predictions.id", ondelete="CASCADE"), primary_key=True),
    Column("mask_index", Integer, primary_key=True),
    Column("word", TEXT, primary_key=True),
    Column("voter_id", BigInteger, primary_key=True),
    Column("via", String(16), primary_key=True),
    Column("value", Integer, nullable=False),
    Column("cast_at", UtcDateTime, nullable=False),
    Column("thumbs", TEXT),  # of a reaction: the thumbs given (`storage.votes.reactions`); null: unknown
    Column("drawn_at", UtcDateTime),  # when the menu's message was last edited; null: never
    Column("weight", Float, nullable=False, server_default=text("1")),  # by the voter's roles at that time
    Column("reason", String(16)),  # why a word was bad (`storage.votes.menu_votes.Reason`); null: not said
    CheckConstraint("value IN (-1, 1)", name="value"),
    CheckConstraint("via IN ('reaction', 'menu', 'suggestion')", name="via"),
    Index(None, "cast_at"),
    Index(None, "voter_id"),
)

undone_thumbs = Table(  # taken back with a command, though they still stand in Discord
    "undone_thumbs",
    metadata,
    Column("prediction_id", ForeignKey("predictions.id", ondelete="CASCADE"), primary_key=True),
    Column("voter_id", BigInteger, primary_key=True),
    Column("thumbs", TEXT, nullable=False),  # as in `votes.thumbs`
    Column("undone_at", UtcDateTime, nullable=False),
    Index(None, "voter_id"),
)

people = Table(
    "people",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("opted_out_at", UtcDateTime),  # null: votes count
    Column("reliability", Float),  # estimated by the last run, in [0, 1]; null: unknown
    Column("counted_since", UtcDateTime),  # `as_of` of the first run that counted a vote; null: none
)

sources = Table(  # imported judgements (`storage.votes.sources`)
    "sources",
    metadata,
    Column("voter_id", BigInteger, primary_key=True, autoincrement=False),  # negative: no person has it
    Column("name", TEXT, nullable=False, unique=True),
    Column("weight", Float, nullable=False),  # of each of its votes
    Column("imported_at", UtcDateTime, nullable=False),
    CheckConstraint("voter_id < 0", name="voter_id"),
)

forgettings = Table(  # erasure requests in progress
    "forgettings",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("counted_since", UtcDateTime),  # runs since then counted their votes; null: none
)

forgotten = Table(  # tombstones: people whose thumbs must not be read back from Discord
    "forgotten",
    metadata,
    Column("person", String(32), primary_key=True),  # fingerprint of the user id
    Column("forgotten_at", UtcDateTime, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("trigger", String(32), nullable=False),  # nightly, retrain, domain, forget, rollback, promote, …
    Column("status", String(32), nullable=False),  # open, promoted, rejected, skipped, failed, done
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("as_of", UtcDateTime, nullable=False),
    Column("retraining_set_hash", String(64)),
    Column("champion", String(32)),
    Column("challenger", String(32)),
    Column("verdict", JSON),
    Column("report", JSON),
    Index(None, "status"),
)

model_versions = Table(  # of machines that share them (`storage.model_versions`)
    "model_versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # 7 of v0007
    Column("kind", String(16)),  # base, starter, domain, night; null: unknown
    Column("folder", TEXT),  # of its files in object storage; null: only the number is taken
    Column("card_hash", String(64)),  # SHA-256 of its card.json
    Column("created_at", UtcDateTime, nullable=False),
    Column("is_champion", Boolean, nullable=False),
    Column("is_domain", Boolean, nullable=False),
    Column("moved_at", UtcDateTime),  # when it last became champion or domain model; null: never
    Column("moved_by", TEXT),  # the machine that did that
    Column("withdrawn_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("revision", BigInteger, nullable=False),  # of its last change; the highest is the table's
    *(
        Index(None, flag, unique=True, sqlite_where=text(flag), postgresql_where=text(flag))
        for flag in ("is_champion", "is_domain")
    ),
)

denied_words = Table(  # of the team, in addition to the shipped list; `runs` records who changed them
    "denied_words",
    metadata,
    Column("word", TEXT, primary_key=True),  # in lower case
    Column("denied_at", UtcDateTime, nullable=False),
)

preferred_words = Table(  # of the team; `runs` records who changed them
    "preferred_words",
    metadata,
    Column("word", TEXT, primary_key=True),  # in lower case
    Column("preferred_at", UtcDateTime, nullable=False),
)

announcements = Table(  # outbox: a row is deleted once Discord has accepted its message
    "announcements",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # random; the nonce of the message
    Column("kind", String(16), nullable=False),
    Column("run_trigger", String(32)),  # of the announced run; null: no run
    Column("run_id", BigInteger),  # null: no run, or its id is not known yet
    Column("sentence", TEXT),  # null: the run is still active
    Column("figure", TEXT, nullable=False),  # of a digest: the approval figure
    Column("guild_id", BigInteger),  # null: a direct message or the report channel
    Column("channel_id", BigInteger),  # null: the report channel
    Column("message_id", BigInteger),  # shows the run's progress; null: no message
    Column("asker_id", BigInteger),  # receives a direct message if no channel can be used
    # Edits the message for 15 minutes, even in a channel that the bot cannot see.
    Column("interaction_token", TEXT),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # next attempt
    Column("claimed_until", UtcDateTime),  # claimed by a process; null: unclaimed
    Column("attempts", Integer, nullable=False),
    CheckConstraint("kind IN ('verdict', 'digest', 'notice')", name="kind"),
    Index(None, "asker_id"),
    Index(None, "due_at"),
)
