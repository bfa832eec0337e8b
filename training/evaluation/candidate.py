"""Measure a challenger, the champion and the domain model on the same material, and ask the gate."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storage.sentences import Sentence, to_json
from training.corpus.language import language
from training.corpus.lexicon import unwanted_words, wanted_words
from training.evaluation import behaviour_tests, drift, gate, metrics
from training.evaluation.confidence_intervals import interval, means
from training.evaluation.guarded_suites import GUARDED_SUITES
from training.evaluation.judged_words import (
    Contradictions,
    Learnt,
    Placed,
    contradictions_in,
    directions,
    opinions_of,
)
from training.evaluation.metrics import CaseScore
from training.evaluation.perplexity import PerplexityComparison
from training.inference.fill_model import FillModel, Floats
from training.inference.vocabulary import denied_words
from training.votes.retraining_set import Example, RetrainingSet

LATENCY_ROUNDS, LATENCY_QUERIES = 8, 40
STORED_WORDS = 200  # that moved against the votes
REPORTED_WORDS = 20  # newly shown, and as many no longer shown
# Suites and texts on which no answer should move. On the control suite answers may move a little: what the
# votes teach about praise also shifts how complaints are answered.
NEUTRAL = ("retention", "texts")

Scores = dict[str, list[CaseScore | None]]  # by suite


class CandidateEvaluation:
    """Evaluates the challengers of one run; the models they are compared with are measured once."""

    def __init__(
        self,
        chosen: RetrainingSet,
        *,
        domain: FillModel,
        champion: FillModel,
        rolled_back: Collection[str],
        shown_words: int,
        behaviour: Path | None = None,
        denied: Sequence[str] | None = None,
    ) -> None:
        """Measure the domain model and the champion.

        Args:
            chosen: the voted queries, including the held-out ones.
            domain, champion: the exported models, as they serve.
            rolled_back: hashes of retraining sets that must not be promoted again.
            shown_words: words that people see of each mask.
            behaviour: the team's own behaviour tests; the shipped ones where the file does not exist.
            denied: words that must not be offered; None: the shipped ones.

        Raises:
            BehaviourError: the team's file cannot be read.
        """
        self._chosen, self._domain, self._champion = chosen, domain, champion
        self._rolled_back, self._shown_words = rolled_back, shown_words
        self._denied = sorted(denied_words() if denied is None else denied)
        self._examples = (*chosen.train, *chosen.held_out)
        self._read_behaviour(behaviour)
        self._suites = {name: metrics.shipped_suite(suite.file) for name, suite in GUARDED_SUITES.items()}
        judged = directions(self._examples)
        self._suites["praise"] = [case.without(judged.keys()) for case in self._suites["praise"]]
        self._texts = metrics.shipped_texts()
        self._champion_answers = _answers(champion, self._examples)
        self._champion_best = _best(champion, self._champion_answers, shown_words)
        self._contradictions = self._contradictions_in_praise()
        self._domain_results = self._run_behaviour(domain)
        self._domain_scores = self._score(domain)
        self._perplexity = PerplexityComparison(domain, self._texts)
        self._references = self._reference_answers(domain)

    def verdict(
        self, challenger: FillModel, *, domain_alike: FillModel | None = None
    ) -> tuple[gate.Verdict, dict[str, Any]]:
        """Return the verdict on an exported challenger, and the figures behind it.

        `domain_alike` is the domain model in the challenger's precision, if it serves in another one: only
        the speed is compared with it.
        """
        answers = _answers(challenger, self._examples)
        best = _best(challenger, answers, self._shown_words)
        learnt = self._learnt(challenger, answers, best)
        queries = [case.text for case in self._suites["control"]] or [e.query for e in self._examples]
        slowdown = _slowdown(domain_alike or self._domain, challenger, queries, self._shown_words)
        note = _precision_note(self._domain, challenger)
        scores = self._score(challenger)
        perplexities = self._perplexity.with_model(challenger, limit=gate.limit_of("perplexity"))
        domain_skills = _skills(self._domain_scores, pseudo_perplexity=perplexities[0], latency_ratio=1.0)
        skills = _skills(scores, pseudo_perplexity=perplexities[1], latency_ratio=slowdown.ratio)
        moved = {
            name: found
            for name, reference in self._references.items()
            if (found := reference.drift_of(challenger)) is not None
        }
        neutral = drift.pooled([moved[name] for name in NEUTRAL if name in moved])
        behaviour = self._compare_behaviour(self._run_behaviour(challenger))
        held_out, denied = self._chosen.held_out, self._denied
        verdict = gate.decide(
            gate.Measurements(
                learnt=learnt,
                contradictions=self._contradictions,
                domain_skills=domain_skills,
                challenger_skills=skills,
                added_latency_s=slowdown.added_s,
                drift=neutral,
                behaviour=behaviour,
                denied=len(denied),
                denied_offered=[word for word in denied if challenger.token_of(word) is not None],
                held_out=gate.HeldOut(
                    judgements=sum(len(e.wanted) + len(e.unwanted) for e in held_out),
                    hit_changes=tuple(_hit_changes(self._champion, challenger, held_out)),
                ),
                rolled_back=len(self._rolled_back),
                was_rolled_back=self._chosen.hash in self._rolled_back,
                precision_note=note,
                language=language().code,
                missing=language().missing,
            )
        )
        lost = set(learnt.lost)
        figures: dict[str, Any] = {
            "shown_words": self._shown_words,
            "voted": _voted_figures(learnt),
            "domain": _skill_figures(domain_skills),
            "challenger": _skill_figures(skills),
            "wanted_share_change": _share_changes(self._domain_scores, scores),
            "drift_nats": round(neutral.nats, 4) if neutral else None,
            "top10_kept": round(neutral.top10_kept, 4) if neutral else None,
            "moved": {name: _rounded(found) for name, found in moved.items()},
            "behaviour": _rounded(behaviour),
            "precision_note": to_json(note),
            "moved_words": _moved_words(
                _words_of(self._champion, self._champion_best), _words_of(challenger, best)
            ),
            "wrong_way": [_wrong_way(word, lost=word in lost) for word in learnt.went_wrong[:STORED_WORDS]],
        }
        return verdict, figures

    def _read_behaviour(self, path: Path | None) -> None:
        """Read the team's behaviour tests, or those shipped ones that its judgements do not contradict."""
        is_own = path is not None and path.exists()
        self._behaviour = path if is_own and path is not None else behaviour_tests.shipped()
        exists = self._behaviour.exists()
        tests = behaviour_tests.read_behaviour(self._behaviour) if exists else ()
        opinions = behaviour_tests.Opinions() if is_own else opinions_of(self._examples)
        left = [(test.name, test.without(opinions)) for test in tests]
        self._tests = [test for _, test in left if test is not None]
        self._set_aside = tuple(name for name, test in left if test is None)

    def _contradictions_in_praise(self) -> Contradictions:
        """Count over the judged queries that the domain model answers with good rather than bad words."""
        good, bad = (self._domain.tokens_of(sorted(words)) for words in (wanted_words(), unwanted_words()))
        if not good or not bad:
            return Contradictions(0, 0)
        answers = _answers(self._domain, self._examples)
        return contradictions_in(
            [
                example
                for example, logs in zip(self._examples, answers, strict=True)
                if np.logaddexp.reduce(logs[good]) > np.logaddexp.reduce(logs[bad])
            ]
        )

    def _learnt(
        self, challenger: FillModel, answers: Sequence[Floats], best: Sequence[Sequence[int]]
    ) -> Learnt:
        wanted = {word for word, direction in directions(self._examples).items() if direction > 0}
        places = zip(self._examples, self._champion_answers, answers, best, strict=True)
        return Learnt(
            tuple(
                placed
                for example, before, after, shown in places
                for placed in _placed(example, (self._champion, before), (challenger, after), shown, wanted)
            ),
            self._shown_words,
        )

    def _score(self, fill_model: FillModel) -> Scores:
        return {suite: metrics.score_cases(fill_model, cases) for suite, cases in self._suites.items()}

    def _reference_answers(self, domain: FillModel) -> dict[str, drift.Reference]:
        """Return the domain model's answers to queries without votes, by suite or texts."""
        queries = {name: [case.text for case in self._suites[name]] for name in ("control", "retention")}
        queries["texts"] = drift.neutral_queries(self._texts)
        voted = [example.query for example in self._examples]
        return {name: drift.Reference(domain, drift.unvoted(of, voted)) for name, of in queries.items()}

    def _run_behaviour(self, fill_model: FillModel) -> list[behaviour_tests.Result | None]:
        return behaviour_tests.run_behaviour(fill_model, self._tests, path=self._behaviour)

    def _compare_behaviour(self, results: Sequence[behaviour_tests.Result | None]) -> gate.Behaviour:
        failures = behaviour_tests.new_failures(self._domain_results, results)
        taken = sum(result is not None for result in results)
        return gate.Behaviour(
            tests=taken,
            skipped=len(results) - taken,
            set_aside=self._set_aside,
            new_failures=tuple(
                Sentence("{test} ({result})", test=failure.name, result=failure.text) for failure in failures
            ),
        )


def _answers(fill_model: FillModel, examples: Sequence[Example]) -> list[Floats]:
    """(vocabulary,) log-probabilities for each example."""
    rows = fill_model.log_probabilities([fill_model.encoder.encode(e.query) for e in examples])
    return [logs[e.mask_index] for e, logs in zip(examples, rows, strict=True)]


def _best(fill_model: FillModel, answers: Sequence[Floats], shown_words: int) -> list[list[int]]:
    """Return the ids of the tokens that people see for each example, best first."""
    return [fill_model.best(logs, shown_words) for logs in answers]


def _placed(
    example: Example,
    champion: tuple[FillModel, Floats],
    challenger: tuple[FillModel, Floats],
    shown: Sequence[int],
    wanted: Collection[str],
) -> list[Placed]:
    """Return the places of an example's words with both models.

    Args:
        example: the judged words.
        champion, challenger: the models, and their (vocabulary,) log-probabilities.
        shown: tokens that the challenger shows.
        wanted: words, in lower case, that the team wants on any query.
    """
    instead = {challenger[0].word_of(token).lower() for token in shown}
    here = {word.lower() for word, _ in example.wanted}
    rejected = {word.lower() for word, _ in example.unwanted}
    is_outdone = instead <= (here | (set(wanted) - rejected))
    return [
        Placed(example.query, word, is_wanted, before, after, is_outdone=is_outdone)
        for words, is_wanted in ((example.wanted, True), (example.unwanted, False))
        for word, _ in words
        if (before := _place(*champion, word)) is not None
        and (after := _place(*challenger, word)) is not None
    ]


def _place(fill_model: FillModel, logs: Floats, word: str) -> int | None:
    """Rank the word, from 1, among the words that may be offered; None if the model cannot say it."""
    token = fill_model.token_of(word)
    return None if token is None else 1 + int((logs[fill_model.offered] > logs[token]).sum())


def _voted_figures(learnt: Learnt) -> dict[str, dict[str, int]]:
    """Judged words and how many of them are shown, by model."""
    total = {side: learnt.count(is_wanted=side == "wanted") for side in ("wanted", "unwanted")}
    return {
        model: total | {f"{side}_shown": learnt.shown(place, is_wanted=side == "wanted") for side in total}
        for model, place in (
            ("champion", lambda word: word.before),
            ("challenger", lambda word: word.after),
        )
    }


def _wrong_way(placed: Placed, *, lost: bool) -> dict[str, Any]:
    facts = {"query": placed.query, "word": placed.word, "is_wanted": placed.is_wanted}
    return {**facts, "before": placed.before, "after": placed.after, "is_lost": lost}


def _words_of(fill_model: FillModel, best: Sequence[Sequence[int]]) -> list[set[str]]:
    return [{fill_model.word_of(token) for token in tokens} for tokens in best]


def _moved_words(before: Sequence[set[str]], after: Sequence[set[str]]) -> dict[str, Any]:
    """How many judged queries each word entered or left the words shown for."""
    pairs = list(zip(before, after, strict=True))
    came = Counter(word for old, new in pairs for word in new - old)
    went = Counter(word for old, new in pairs for word in old - new)
    return {
        "queries": len(pairs),
        "changed": sum(old != new for old, new in pairs),
        "came": _commonest(came),
        "went": _commonest(went),
    }


def _commonest(words: Counter[str]) -> dict[str, int]:
    return dict(sorted(words.items(), key=lambda item: (-item[1], item[0]))[:REPORTED_WORDS])


def _hit_changes(before: FillModel, after: FillModel, held_out: Sequence[Example]) -> list[float]:
    """Per held-out query with a wanted word: hit@10 of the challenger minus the champion's."""

    def hits(fill_model: FillModel) -> list[float]:
        rows = fill_model.log_probabilities([fill_model.encoder.encode(e.query) for e in held_out])
        found = []
        for e, logs in zip(held_out, rows, strict=True):
            best = set(fill_model.best(logs[e.mask_index], 10))
            if e.wanted:
                found.append(float(any(fill_model.token_of(word) in best for word, _ in e.wanted)))
        return found

    return [new - old for old, new in zip(hits(before), hits(after), strict=True)]


def _share_changes(before: Scores, after: Scores) -> dict[str, list[float]]:
    """By suite, the 95 % interval of the change of `wanted_share`, over cases that both models can answer."""
    found = {}
    for suite in before:
        pairs = [(old, new) for old, new in zip(before[suite], after[suite], strict=True) if old and new]
        if pairs:
            change = interval(means([new.wanted_share - old.wanted_share for old, new in pairs]))
            found[suite] = [round(change.low, 4), round(change.high, 4)]
    return found


def _precision_note(domain: FillModel, challenger: FillModel) -> Sentence | None:
    """Why the challenger serves in fp32 although the domain model serves in int8."""
    agreed = challenger.agreement
    if agreed is None or (domain.precision, challenger.precision) != ("int8", "fp32"):
        return None
    return Sentence(
        "it serves in fp32, which is slower, because in int8 {top1:.1%} of the best words and {shown:.1%} of "
        "the shown words would be the same on {masks} masks",
        top1=agreed["top1"],
        shown=agreed["shown"],
        masks=agreed["masks"],
    )


@dataclass(frozen=True, slots=True)
class Slowdown:
    """How much longer the p95 query takes: as a multiple, and in seconds."""

    ratio: float
    added_s: float


def _slowdown(before: FillModel, after: FillModel, queries: Sequence[str], shown_words: int) -> Slowdown:
    """Measure the p95 of one query, challenger against domain model, alternately.

    Processor time, so that other load on the machine counts little. Of each query the fastest of up to
    `LATENCY_ROUNDS` rounds, since noise only ever makes it slower: with one round at a time, a loaded machine
    rejected a model for taking 1.94 × the time.
    """
    queries = queries[:LATENCY_QUERIES]
    fastest = np.full((2, len(queries)), np.inf)  # (models, queries), seconds
    slowdown = Slowdown(float("inf"), float("inf"))
    for _ in range(LATENCY_ROUNDS):
        for number, query in enumerate(queries):
            for side, fill_model in enumerate((before, after)):
                started = time.process_time()
                fill_model.fill([query], top=shown_words)
                fastest[side, number] = min(fastest[side, number], time.process_time() - started)
        slow_before, slow_after = np.quantile(fastest, 0.95, axis=1)
        slowdown = Slowdown(float(slow_after / slow_before), float(slow_after - slow_before))
        if gate.is_fast_enough(
            slowdown.ratio, slowdown.added_s, gate.limit_of("latency")
        ):  # good enough: more rounds make both only faster
            break
    return slowdown


def changes(
    before: FillModel, after: FillModel, chosen: RetrainingSet, *, shown_words: int, most: int = 20
) -> list[dict[str, Any]]:
    """Return the words shown before and after, for the first `most` voted queries."""
    examples = chosen.train[:most]
    queries = [e.query for e in examples]
    changes = []
    filled = (model.fill(queries, top=shown_words) for model in (before, after))
    for e, old, new in zip(examples, *filled, strict=True):
        words = [[c.word for c in side[e.mask_index]] for side in (old, new)]
        changes.append({"query": e.query, "mask_index": e.mask_index, "before": words[0], "after": words[1]})
    return changes


def _skills(scores: Scores, *, pseudo_perplexity: float, latency_ratio: float) -> gate.Skills:
    shares = {suite: metrics.summary(of_suite)["wanted_share"] for suite, of_suite in scores.items()}
    return gate.Skills(shares, pseudo_perplexity=pseudo_perplexity, latency_ratio=latency_ratio)


def _skill_figures(skills: gate.Skills) -> dict[str, Any]:
    """Flat, as cards and reports hold them."""
    figures = {**skills.wanted_shares, "pseudo_perplexity": round(skills.pseudo_perplexity, 4)}
    return {**figures, "latency_ratio": round(skills.latency_ratio, 4)}


def _rounded(value: Any) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(value).items()}
