"""Base model → the team's domain model: corpus split, recipes, training; `making.py` is where to begin."""
