"""Fine-tuning on judgements: the objective, its losses, batches and the training loop."""
