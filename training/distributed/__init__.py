"""What runs past one machine: Ray jobs, workers and replicas, and versions that several machines share."""
