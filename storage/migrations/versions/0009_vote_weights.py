"""How much a vote counts by its voter's roles."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply, in place as before; votes from before have the default weight."""
    op.add_column("votes", sa.Column("weight", sa.Float(), server_default=sa.text("1"), nullable=False))
