"""Why a person found a word bad, if they said so."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Apply, in place as before; votes from before have no reason."""
    op.add_column("votes", sa.Column("reason", sa.String(16)))
