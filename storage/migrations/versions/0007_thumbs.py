"""Store the thumbs behind a vote."""

import sqlalchemy as sa
from alembic import op

from storage.schema import TEXT

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply: added in place, as copying the table would take minutes where there are millions of votes."""
    op.add_column("votes", sa.Column("thumbs", TEXT, nullable=True))
