"""Runs on a Ray cluster: submitted from a small machine, trained by workers. Ray is imported only in here."""
