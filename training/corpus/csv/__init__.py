"""Reads CSV files of any size and quality into sentences."""
