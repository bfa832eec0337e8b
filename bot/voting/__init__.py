"""Votes by reaction and menu, their reconciliation after a gap, and the quiz."""
