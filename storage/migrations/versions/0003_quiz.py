"""Add quizzes, and an index on askers."""

import sqlalchemy as sa
from alembic import op

from storage.schema import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("predictions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("quiz_at", UtcDateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_predictions_asker_id"), ["asker_id"], unique=False)
