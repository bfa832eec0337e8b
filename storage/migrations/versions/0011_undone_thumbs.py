"""Thumbs that their voter took back with a command, although they still stand in Discord."""

import sqlalchemy as sa
from alembic import op

from storage.schema import ROW_ID, TEXT, UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "undone_thumbs",
        sa.Column("prediction_id", ROW_ID, nullable=False),
        sa.Column("voter_id", sa.BigInteger(), nullable=False),
        sa.Column("thumbs", TEXT, nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
            name="fk_undone_thumbs_prediction_id_predictions",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("prediction_id", "voter_id", name="pk_undone_thumbs"),
    )
    op.create_index("ix_undone_thumbs_voter_id", "undone_thumbs", ["voter_id"])
