"""Versions that answer, without torch: shared by the bot and the replicas on a cluster."""
