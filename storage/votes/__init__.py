"""Predictions and the votes on them."""
