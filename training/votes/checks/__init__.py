"""UpTrain's checks: on votes, and on the corpus."""
