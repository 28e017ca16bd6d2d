"""The cache folder: what cannot be kept costs time, and is said once."""

import warnings

import pytest

from ketamech.core import folders


@pytest.fixture
def unwritable(tmp_path, monkeypatch):
    """A cache folder that lies inside a file."""
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path / "file" / "cache"))
    folders._warn_once.cache_clear()
    yield folders.cache_folder()
    folders._warn_once.cache_clear()


def keep(folder):
    with folders.if_there_is_room():
        folders.write_sealed(folder / "systems" / "x.json", "text")


def test_a_cache_that_cannot_be_written_warns_once_with_its_name_and_what_to_type(unwritable):
    with pytest.warns(folders.CacheWarning, match="KETAMECH_CACHE") as said:
        [keep(unwritable) for _ in range(2)]
    assert len(said) == 1
    assert f"'{unwritable}'" in str(said[0].message)
    assert "Not a directory" in str(said[0].message)


def test_a_cache_that_can_be_written_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keep(folders.cache_folder())
    assert (tmp_path / "systems" / "x.json").is_file()
