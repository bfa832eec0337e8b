"""Backups, restore and recovery, and the copy from SQLite to PostgreSQL."""
