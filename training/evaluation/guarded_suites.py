"""The suites that a model must not get worse on, apart from the gate because the bot imports them.

The gate imports drift and the corpus's word lists, which would make every start of the bot 0.05 s longer.
"""

from dataclasses import dataclass

from storage.sentences import Sentence


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite whose wanted share is guarded: its file in `suites/`, and what it is about."""

    file: str
    subject: Sentence


GUARDED_SUITES = {
    "control": Suite("control", Sentence("complaints and negations")),
    "retention": Suite("retention", Sentence("everyday text")),
    # Detects votes that teach the opposite, which are learnt as well as any others.
    "praise": Suite("main", Sentence("praise of the products")),
}
