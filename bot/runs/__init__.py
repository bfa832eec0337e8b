"""Training runs: the schedule, the subprocess, progress, verdicts and automatic rollback."""
