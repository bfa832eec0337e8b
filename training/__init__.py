"""Votes in, a promoted model version out: `python -m training --help`."""

from training.telemetry import switch_off

switch_off()
