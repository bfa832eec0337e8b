"""The words that a team prefers."""

import sqlalchemy as sa
from alembic import op

from storage.schema import TEXT, UtcDateTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "preferred_words",
        sa.Column("word", TEXT, nullable=False),
        sa.Column("preferred_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("word", name="pk_preferred_words"),
    )
