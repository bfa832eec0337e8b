"""The text the domain model is trained on: readers of real text, and generated sentences.

Sentence patterns and word lists are data files (`patterns/`, `words/`); `generator` combines the two.
"""
