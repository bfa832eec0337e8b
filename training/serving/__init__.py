"""Versions that serve: in the bot's own process, and in replicas on a Ray cluster (`app.py`, `deploy.py`)."""
