"""A few mangled inputs for everything that the program reads: an answer or an error of ours, and never a traceback."""

import contextlib
import gc
import random
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import fuzz_targets
from fuzz import mangled, one_target

from ketamech.core import InputError, KetaMechError
from ketamech.exchange import omex
from ketamech.population.population_tables import marginal

FEW = 25


def answered(name, data):
    with contextlib.suppress(KetaMechError):
        fuzz_targets.TARGETS[name](data)


@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_valid_invalid_and_damaged_files_are_read_or_refused(name):
    chance, good = random.Random(5), fuzz_targets.seeds(name)
    for data in [*good, *(mangled(chance, good, fuzz_targets.WORDS) for _ in range(FEW))]:
        answered(name, data)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_netcdf_file_leaves_no_open_file_that_fails_when_it_is_deleted():
    chance, good = random.Random(5), fuzz_targets.seeds("results_netcdf")
    for _ in range(FEW):
        answered("results_netcdf", mangled(chance, good, fuzz_targets.WORDS))
    gc.collect()


@pytest.mark.parametrize("name", ["sentence", "unit_text", "dose_table", "posterior", "connectome", "journal"])
@given(text=st.text(max_size=80) | st.lists(st.sampled_from(fuzz_targets.WORDS), max_size=12).map(" ".join))
def test_any_text_is_answered(name, text):
    answered(name, text.encode("utf-8", "surrogatepass"))


def test_a_target_with_more_good_files_than_runs_ends_after_them():
    """libFuzzer without runs left would go on until the limit of time."""
    result = one_target("unit_text", runs=3, seed=1)
    assert (result["runs"], result["wrong"], result["ended"]) == (len(fuzz_targets.seeds("unit_text")), 0, "")


def test_the_memory_of_a_target_is_its_own():
    """The largest resident set that the system counts for a new process begins with that of its parent."""
    held = np.ones(300_000_000, dtype=np.uint8)
    assert 0 < one_target("unit_text", runs=3, seed=1)["memory"] < held.nbytes


def test_inputs_that_the_fuzzer_found_are_refused():
    """A treatment that begins with 'then', and a unit of a kind that nothing here has."""
    for words in ("then", "\rthen\ufffd", "racemic 1 mg IV; then weekly"):
        with pytest.raises(InputError, match="without a drug"):
            fuzz_targets.Regimen.parse(words)
    with pytest.raises(InputError, match="not a unit"):
        fuzz_targets.unit("K")
    for words in ("normal 33 5 in 20", "normal 33 5 in a b", "", " in 1 2", "mixture 0.5 |"):
        with pytest.raises(InputError):
            marginal(words)


def test_the_page_states_which_target_fuzzes_which_reader():
    """Every target stands in the table of what is read, and nothing else does."""
    page = (Path(__file__).parents[3] / "docs" / "exchange.md").read_text(encoding="utf-8")
    rows = [line for line in page.partition("## Everything that is read")[2].splitlines() if line.startswith("| ")]
    told = [name for row in rows for name in re.findall(r"`([a-z_*]+)`", row.split("|")[3])]
    assert [name for name in fuzz_targets.TARGETS if not any(fnmatch(name, pattern) for pattern in told)] == []
    assert [pattern for pattern in told if not any(fnmatch(name, pattern) for name in fuzz_targets.TARGETS)] == []


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(omex, "MAX_BYTES", 1000)
    path = tmp_path / "large.omex"
    path.write_bytes(fuzz_targets.zipped())
    with pytest.raises(InputError, match="when it is unpacked"):
        omex.read_archive(path)


@pytest.mark.parametrize(("good", "bad"), [(b"PK\x03\x04", b"PK\x03\x05"), (b"KISAO", b"KISAX")])
def test_a_damaged_archive_is_an_input_error_and_leaves_no_file(tmp_path, monkeypatch, good, bad):
    """Its end is there, its entries are not, or are not what was packed."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "damaged.omex"
    path.write_bytes(fuzz_targets.zipped().replace(good, bad))
    with pytest.raises(InputError, match="no OMEX archive"):
        omex.read_archive(path)
    assert [each.name for each in tmp_path.iterdir()] == ["damaged.omex"]


@pytest.mark.parametrize("name", ["sbml", "sbml_doses", "sedml"])
def test_entities_that_grow_a_billionfold_are_refused(name):
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    data = fuzz_targets.seeds(name)[0].replace(b"?>", f"?><!DOCTYPE x [{entities}]>".encode(), 1)
    with pytest.raises(InputError):
        fuzz_targets.TARGETS[name](data.replace(b"<listOf", b"<notes>&a9;</notes><listOf", 1))


@pytest.mark.parametrize("seals", ['["code"]', '"code"', "7", "[" * 100_000, '{"code": 1}'])
def test_stored_code_without_a_valid_checksum_counts_as_damaged(seals):
    fuzz_targets.kept_code(seals.encode())


BOMBS = {
    "yaml bomb": "a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n",
    "a billion doses": "treatments: [racemic 1 mg IV every 0.00001 min for 2 years]\n",
    "not a number": "treatments: [racemic .nan mg IV]\n",
    "deep nesting": "treatments: " + "[" * 3000,
    "a huge number": "treatments: [racemic 1" + "0" * 400 + " mg IV]\n",
    "a huge seed": "treatments: [racemic 1 mg IV]\nseed: " + "9" * 5000 + "\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_inputs_that_would_fill_the_memory_are_refused_at_once(tmp_path, name):
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMBS[name], encoding="utf-8")
    with pytest.raises(InputError, match=r"bomb\.yaml"):
        fuzz_targets.load_scenario(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1", "cp037"])
def test_another_encoding_is_reported(tmp_path, encoding):
    path = tmp_path / "s.yaml"
    path.write_bytes("title: Ké\ntreatments: [racemic 1 mg IV]\n".encode(encoding))
    with pytest.raises(InputError, match="not text"):
        fuzz_targets.load_scenario(path)
