"""Backups, restore, recovery, and the copy from SQLite to PostgreSQL."""
