"""Plots, tables and comparisons for people."""
