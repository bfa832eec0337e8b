"""Votes by reaction and menu, and their reconciliation after a gap."""
