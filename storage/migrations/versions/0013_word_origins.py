"""Which of two versions brought a word, while both answer."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Apply, in place as before; words from before were all of the prediction's version."""
    op.add_column("candidates", sa.Column("model_version", sa.String(32)))
