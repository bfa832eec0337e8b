"""For the engineer: startup, checks, health, metrics, backups, logs."""
