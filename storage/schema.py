"""The tables. Discord's ids are 64-bit integers; times are aware UTC."""

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
    """An aware UTC time, also where the database keeps none (SQLite). Refuses naive values."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give back an aware UTC time."""
        if value is None:
            return None
        time: datetime = value
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


# On both by code point: what is sorted comes out the same.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows by itself only where the type is spelled INTEGER.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

predictions = Table(
    "predictions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("guild_id", BigInteger),  # null: a direct message
    Column("channel_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, unique=True),  # the reply's; null until it was sent
    Column("asker_id", BigInteger),
    Column("query", TEXT, nullable=False),
    Column("query_hash", String(32), nullable=False),
    Column("model_version", String(32), nullable=False),
    Column("latency_ms", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Column("quiz_at", UtcDateTime),  # when the quiz began that offered it; null: the asker typed it
    Index(None, "asker_id"),
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
    Column("thumbs", TEXT),  # of a reaction: which thumbs stand (`storage.votes.reactions`); null: unknown
    Column("drawn_at", UtcDateTime),  # of a menu: when its message had been edited last; null: never
    CheckConstraint("value IN (-1, 1)", name="value"),
    CheckConstraint("via IN ('reaction', 'menu', 'suggestion')", name="via"),
    Index(None, "cast_at"),
    Index(None, "voter_id"),
)

people = Table(
    "people",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("opted_out_at", UtcDateTime),  # null: votes count
    Column("reliability", Float),  # as the last run judged it, in [0, 1]; null: not known
    Column("counted_since", UtcDateTime),  # as_of of the first run that counted a vote; null: none has
)

forgettings = Table(  # who asked to be forgotten, until that is done
    "forgettings",
    metadata,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("counted_since", UtcDateTime),  # runs from then on counted their votes; null: none did
)

forgotten = Table(  # whose thumbs are not to be read back from Discord
    "forgotten",
    metadata,
    Column("person", String(32), primary_key=True),  # a fingerprint of the id
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

announcements = Table(  # what is still to be told in Discord; a row goes once Discord has taken it
    "announcements",
    metadata,
    Column(
        "id", BigInteger, primary_key=True, autoincrement=False
    ),  # by chance: Discord knows a message by it
    Column("kind", String(16), nullable=False),
    Column("run_trigger", String(32)),  # of the run whose end is told; null: of none
    Column("run_id", BigInteger),  # null: of none, or it has not said its number yet
    Column("sentence", TEXT),  # null: the run goes on
    Column("figure", TEXT, nullable=False),  # what people like, of a digest
    Column("guild_id", BigInteger),  # null: a direct message, or the report channel
    Column("channel_id", BigInteger),  # null: the report channel
    Column("message_id", BigInteger),  # shows the run's progress; null: there is none
    Column("asker_id", BigInteger),  # is told directly where no channel takes it
    Column(
        "interaction_token", TEXT
    ),  # edits the message for 15 minutes, also in a channel that the bot does not see
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # of the next attempt
    Column("claimed_until", UtcDateTime),  # a process tells it, or follows its run; null: none does
    Column("attempts", Integer, nullable=False),
    CheckConstraint("kind IN ('verdict', 'digest', 'notice')", name="kind"),
    Index(None, "asker_id"),
    Index(None, "due_at"),
)
