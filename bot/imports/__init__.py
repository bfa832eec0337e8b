"""Judgements from files: sentences with the words that a team wants and does not want."""
