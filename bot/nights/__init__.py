"""Runs: when they start, how they are followed, watched and told."""
