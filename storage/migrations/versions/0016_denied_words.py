"""The words that a team never wants to see, in addition to the shipped list."""

import sqlalchemy as sa
from alembic import op

from storage.schema import TEXT, UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "denied_words",
        sa.Column("word", TEXT, nullable=False),
        sa.Column("denied_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("word", name="pk_denied_words"),
    )
