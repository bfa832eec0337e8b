"""Replicas that answer queries on a Ray cluster; `deployment.py` deploys them."""
