"""Replicas that answer on a Ray cluster, deployed by `deployment.py`."""
