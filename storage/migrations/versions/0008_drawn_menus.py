"""Add `votes.drawn_at`."""

import sqlalchemy as sa
from alembic import op

from storage.schema import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply, in place as before."""
    op.add_column("votes", sa.Column("drawn_at", UtcDateTime(timezone=True), nullable=True))
