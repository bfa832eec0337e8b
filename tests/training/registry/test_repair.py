"""Pointers that are lost, and domain models that are damaged, are settled anew."""

from pathlib import Path

import pytest
from support.versions import registry_of, write

from training.errors import CorruptVersionError
from training.registry.repair import repair_champion, repair_domain
from training.registry.versions import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return registry_of(tmp_path / "models", 3)


def never() -> str:
    raise AssertionError("a first version was made")


@pytest.mark.parametrize("content", [None, b"", b"v0", b"\x00\xff", b"v0099", b"v0002.partial"])
def test_the_last_champion_known_is_champion_again(registry: Registry, content: bytes | None) -> None:
    pointer = registry.folder / "champion"
    pointer.unlink() if content is None else pointer.write_bytes(content)
    assert repair_champion(registry, last="v0002") == "v0002"
    assert registry.champion() == "v0002"


def test_a_champion_that_is_there_stays(registry: Registry) -> None:
    assert repair_champion(registry, last="v0001") is None
    assert registry.champion() == "v0003"


def test_without_records_the_newest_that_may_serve_and_is_whole_is_champion(registry: Registry) -> None:
    write(registry, verdict={"is_promotable": False})
    registry.withdraw(["v0003"])
    (registry.folder / "champion").unlink()
    (registry.folder / "v0002" / "model.onnx").write_bytes(b"rubbish")
    assert repair_champion(registry, last=None) == "v0001"


def test_a_domain_model_that_is_whole_stays(registry: Registry) -> None:
    assert repair_domain(registry, make_first=never) is None
    assert registry.domain() == "v0001"


@pytest.mark.parametrize("is_lost", [False, True])
def test_nights_start_from_another_model_that_no_vote_has_touched(
    registry: Registry, *, is_lost: bool
) -> None:
    write(registry, kind="night")
    if is_lost:
        (registry.folder / "domain").unlink()
    else:
        (registry.folder / "v0001" / "model.onnx").write_bytes(b"rubbish")
    assert repair_domain(registry, make_first=never) == "v0003"
    assert registry.domain() == "v0003"


def test_where_none_is_whole_a_first_version_is_made(registry: Registry) -> None:
    for version in registry.versions():
        (registry.folder / version / "model.onnx").write_bytes(b"rubbish")
    assert repair_domain(registry, make_first=lambda: write(registry)) == "v0004"
    assert registry.domain() == "v0004"


def test_a_folder_does_not_pass_for_another_version(registry: Registry) -> None:
    first, second = registry.folder / "v0001", registry.folder / "v0002"
    first.rename(registry.folder / "aside")
    second.rename(first)
    with pytest.raises(CorruptVersionError, match="its files are those of v0002"):
        registry.verify("v0001")


def test_a_list_of_withdrawn_versions_with_a_bad_byte_is_read(registry: Registry) -> None:
    registry.withdraw(["v0001", "v0002"])
    (registry.folder / "withdrawn").write_bytes(b"v0001\n\xff\xfe\nv0002\n")
    assert registry.withdrawn() == {"v0001", "v0002"}
