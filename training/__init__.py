"""Votes in, a promoted model version out: `python -m training --help`."""
