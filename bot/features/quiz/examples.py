"""The quiz's own sentences about products, delivery and service, used until people have asked questions."""

from training.corpus.generator import generate
from training.corpus.language import cached_by_language

TOPICS = ("praise", "complaint", "delivery", "service", "noun_praise", "slot_activity")
EXAMPLES = 60
SEED = 1


@cached_by_language
def example_queries() -> tuple[str, ...]:
    """Generate queries from the products and word lists of the corpus. Cached; the first call takes 0.2 s."""
    sentences = generate(2 * EXAMPLES, seed=SEED, topics=TOPICS, split="train")
    return tuple(dict.fromkeys(s.query for s in sentences if s.focus is not None))[:EXAMPLES]
