"""Predictions and the votes on them: written, read and aggregated."""
