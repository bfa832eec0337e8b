"""Subprocesses for training, charts and word ranks; only they import torch and matplotlib."""
