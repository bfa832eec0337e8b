"""Who wrote the text of a query, where that is not who asked."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Apply; before message commands, the asker wrote every text."""
    op.add_column("predictions", sa.Column("author_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_predictions_author_id", "predictions", ["author_id"])
