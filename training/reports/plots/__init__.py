"""Plots of training, predictions, runs, votes and the corpus, as PNG files by matplotlib."""
