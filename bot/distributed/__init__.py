"""Several bot processes: shards, leader election, remote answering."""
