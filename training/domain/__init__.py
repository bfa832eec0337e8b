"""Base model → the team's domain model: the corpus split, the recipes, the long training; `making.py` first."""
