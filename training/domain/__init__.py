"""The team's domain model: corpus split, recipes, training. `training_run.py` puts them together."""
