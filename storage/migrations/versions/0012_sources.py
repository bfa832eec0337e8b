"""The sources of imported judgements."""

import sqlalchemy as sa
from alembic import op

from storage.schema import TEXT, UtcDateTime

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Apply; nothing was imported so far."""
    op.create_table(
        "sources",
        sa.Column("voter_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("imported_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("voter_id < 0", name=op.f("ck_sources_voter_id")),
        sa.PrimaryKeyConstraint("voter_id", name="pk_sources"),
        sa.UniqueConstraint("name", name="uq_sources_name"),
    )
