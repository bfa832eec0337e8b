"""The domain model's training text: readers of the team's CSV files, and generated sentences.

Sentence patterns and word lists are data files (`patterns/`, `words/`), which `generator` combines.
"""
