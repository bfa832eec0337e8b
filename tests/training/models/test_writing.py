"""What a card says about where a version comes from."""

from pathlib import Path

import pytest

from training.models.writing import make_card
from training.registry.publishing.model_card import is_hub_name
from training.registry.versions import Draft


@pytest.mark.parametrize("base", ["our-base", "models/our-base"])
def test_a_folder_in_the_working_directory_is_not_taken_for_a_hub_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.chdir(tmp_path)
    draft = Draft("v0001", tmp_path)
    assert make_card(draft, kind="base", base=base, settings={}).base == base
    (tmp_path / base).mkdir(parents=True)
    found = make_card(draft, kind="base", base=base, settings={}).base
    assert found == f"./{base}"
    assert not is_hub_name(found)
    assert make_card(draft, kind="night", base=found, settings={}).base == found  # as every night copies it
