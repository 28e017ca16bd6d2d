"""The cache folder: what cannot be kept costs time, and is said once."""

import warnings

import pytest

from ketamech.core import atomic_files


@pytest.fixture
def unwritable(tmp_path, monkeypatch):
    """A cache folder that lies inside a file."""
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path / "file" / "cache"))
    atomic_files.warn_of_cache_folder.cache_clear()
    yield atomic_files.cache_folder()
    atomic_files.warn_of_cache_folder.cache_clear()


def keep(folder):
    with atomic_files.ignore_disk_errors():
        atomic_files.atomic_write_checksummed(folder / "systems" / "x.json", "text")


def test_a_cache_that_cannot_be_written_warns_once_with_its_name_and_what_to_type(unwritable):
    with pytest.warns(atomic_files.CacheWarning, match="KETAMECH_CACHE") as said:
        [keep(unwritable) for _ in range(2)]
    assert len(said) == 1
    assert f"'{unwritable}'" in str(said[0].message)
    assert "Not a directory" in str(said[0].message)


def test_a_cache_that_can_be_written_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("KETAMECH_CACHE", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keep(atomic_files.cache_folder())
    assert (tmp_path / "systems" / "x.json").is_file()
