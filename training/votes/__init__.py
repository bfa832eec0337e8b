"""Votes to judgements: UpTrain's checks, aggregation, the retraining set."""
