"""Runs: when they start, how they are followed, and what is announced of them."""
