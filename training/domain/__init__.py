"""Trains the team's domain model from the base model; `training_run.py` is the entry point."""
