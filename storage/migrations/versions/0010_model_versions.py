"""The model versions that several machines share."""

import sqlalchemy as sa
from alembic import op

from storage.schema import TEXT, UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Apply; the table is empty until FILLBOT_MODELS_URL is set."""
    op.create_table(
        "model_versions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16)),
        sa.Column("folder", TEXT),
        sa.Column("card_hash", sa.String(64)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("is_champion", sa.Boolean(), nullable=False),
        sa.Column("is_domain", sa.Boolean(), nullable=False),
        sa.Column("moved_at", UtcDateTime()),
        sa.Column("moved_by", TEXT),
        sa.Column("withdrawn_at", UtcDateTime()),
        sa.Column("deleted_at", UtcDateTime()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_model_versions"),
    )
    for flag in ("is_champion", "is_domain"):
        op.create_index(
            f"ix_model_versions_{flag}",
            "model_versions",
            [flag],
            unique=True,
            sqlite_where=sa.text(flag),
            postgresql_where=sa.text(flag),
        )
