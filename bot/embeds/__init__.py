"""What people see: embeds, built from values. Pure but for `verdicts`."""
