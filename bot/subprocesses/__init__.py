"""Processes of their own for training, charts and word ranks: torch and matplotlib live there alone."""
