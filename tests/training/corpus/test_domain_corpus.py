"""The split: nothing of a held-out pattern, product or review was seen in training."""

from pathlib import Path

import pytest

from training.corpus.domain_corpus import GENERATED, build_corpus
from training.corpus.generator import select_patterns
from training.corpus.readers import read_folder
from training.settings import DomainSettings, Settings

DOMAIN = DomainSettings(sentences=300)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings(home=tmp_path / "home", data_dir=tmp_path)


def write_reviews(folder: Path, count: int = 80) -> None:
    rows = "".join(
        f'"Title number {i}","The shoe number {i} fits. It is worth {i} stars.",5\n' for i in range(count)
    )
    (folder / "reviews.csv").write_text(f"Title,Content,Star_rating\n{rows}")


def test_generated_sentences_are_split_by_their_pattern(settings: Settings) -> None:
    corpus = build_corpus(settings, DOMAIN)
    topics = {pattern.topic for pattern in select_patterns(split="test")}
    assert len(corpus.train) == 300
    assert {text.source for text in (*corpus.train, *corpus.held_out)} == {GENERATED}
    assert {text.topic for text in corpus.held_out} <= topics
    assert not {text.text for text in corpus.train} & {text.text for text in corpus.held_out}
    assert any(text.focus for text in corpus.held_out)


def test_the_teams_texts_are_split_by_group(settings: Settings, tmp_path: Path) -> None:
    write_reviews(tmp_path)
    corpus = build_corpus(settings, DOMAIN)
    groups = {text.text: text.group for text in read_folder(tmp_path)[0]}
    sides = [
        {groups[text.text] for text in side if text.source != GENERATED}
        for side in (corpus.train, corpus.held_out)
    ]
    assert not sides[0] & sides[1]
    assert 2 <= len(sides[1]) <= 20 < len(sides[0])
    assert sum(text.source != GENERATED for text in (*corpus.train, *corpus.held_out)) == len(groups)


def test_the_split_does_not_depend_on_other_texts(settings: Settings, tmp_path: Path) -> None:
    write_reviews(tmp_path, 60)
    few = {text.text for text in build_corpus(settings, DOMAIN).held_out}
    write_reviews(tmp_path, 80)
    assert few <= {text.text for text in build_corpus(settings, DOMAIN).held_out}


def test_the_hash_is_that_of_the_texts(settings: Settings, tmp_path: Path) -> None:
    first = build_corpus(settings, DOMAIN).hash
    assert build_corpus(settings, DOMAIN).hash == first
    assert build_corpus(settings, DomainSettings(sentences=300, seed=1)).hash != first
    write_reviews(tmp_path)
    assert build_corpus(settings, DOMAIN).hash != first


def test_a_further_file_is_read_with_its_column(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    more = tmp_path / "elsewhere" / "tickets.csv"
    more.write_text("id,message\n1,The parcel never came to my house.\n2,I love these new boots.\n")
    corpus = build_corpus(settings, DOMAIN, extra=[more], text_column="message")
    texts = [text.text for text in (*corpus.train, *corpus.held_out) if text.source == "tickets"]
    assert sorted(texts) == ["I love these new boots.", "The parcel never came to my house."]
