"""Scale-out: Ray jobs, workers and replicas, and model versions that several machines share."""
