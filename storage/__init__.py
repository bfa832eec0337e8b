"""The database: predictions, votes, people and runs (SQLAlchemy Core on aiosqlite, migrated by Alembic)."""
