"""The domain model's training text: readers of the team's CSV files, and generated sentences.

Sentence patterns and word lists, which `generator` combines, are data files: `languages/` has a folder per
language.
"""
