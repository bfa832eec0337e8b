"""CSV files of any size and quality, read into sentences."""
