"""Add erasure requests, and since when a person's votes are counted."""

import sqlalchemy as sa
from alembic import op

from storage.schema import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(sa.Column("counted_since", UtcDateTime(timezone=True), nullable=True))
    # Voters of the last run, from their oldest vote on: runs did not record when they first counted somebody.
    op.execute(
        "UPDATE people SET counted_since = (SELECT min(cast_at) FROM votes WHERE voter_id = user_id) "
        "WHERE reliability IS NOT NULL"
    )
    op.create_table(
        "forgettings",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("counted_since", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_forgettings")),
    )
