"""A connectome or receptor map of the user's own: what it replaces, and one clear error for each thing wrong."""

import numpy as np
import pytest

from ketamech import load_connectome, load_parameters
from ketamech.core import InputError, UnknownNameError
from ketamech.simulation.load_scenario import load_scenario

NAMES = ["insula", "amygdala", "hippocampus"]
WEIGHTS = [[0, 300, 100], [300, 0, 200], [100, 200, 0]]
PAIRS = ["coupling.insula_and_amygdala", "coupling.insula_and_hippocampus", "coupling.hippocampus_and_amygdala"]


def written(folder, text, name="mine.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_weights_keep_their_pattern_and_take_the_mean_of_what_they_replace():
    found, shipped = load_connectome(WEIGHTS, NAMES), load_parameters()
    assert sorted(found) == sorted(PAIRS)
    assert found[PAIRS[0]] == pytest.approx(3 * found[PAIRS[1]])
    assert np.mean(list(found.values())) == pytest.approx(np.mean([shipped[name].canonical for name in PAIRS]))


def test_the_order_of_names_does_not_matter():
    turned = load_connectome(np.array(WEIGHTS)[::-1, ::-1], NAMES[::-1])
    assert turned == pytest.approx(load_connectome(WEIGHTS, NAMES))


def test_a_file_with_or_without_names_in_front_reads_as_the_matrix(tmp_path):
    plain = written(tmp_path, "insula,amygdala,hippocampus\n0,300,100\n300,0,200\n100,200,0\n")
    named = written(
        tmp_path, ",insula,amygdala,hippocampus\ninsula,0,300,100\namygdala,300,0,200\nhippocampus,100,200,0\n", "n.csv"
    )
    assert load_connectome(plain) == load_connectome(named) == load_connectome(WEIGHTS, NAMES)


@pytest.mark.parametrize(
    ("weights", "names", "kind", "words"),
    [
        ([[0, 1], [1, 0], [1, 1]], NAMES[:2], InputError, "is 3 x 2 for 2 names"),
        (WEIGHTS, NAMES[:2], InputError, "is 3 x 3 for 2 names"),
        ([[0, 1], [2, 0]], NAMES[:2], InputError, "insula and amygdala is asymmetric: 1 one way and 2 the other"),
        ([[0, -1], [-1, 0]], NAMES[:2], InputError, "insula and amygdala is negative"),
        ([[0, np.nan], [np.nan, 0]], NAMES[:2], InputError, "not a finite number"),
        ([[0, 1], [1, 0]], ["insula", "amigdala"], UnknownNameError, "nearest: amygdala"),
        ([[0, 1], [1, 0]], ["insula", "insula"], InputError, "'insula' appears twice"),
        ([[0, 0], [0, 0]], NAMES[:2], InputError, "all values are 0"),
        ([[0]], NAMES[:1], InputError, "two areas or more"),
        (WEIGHTS, None, InputError, "has no names"),
        ([[0, 1], [1]], NAMES[:2], InputError, "not a matrix"),
    ],
)
def test_a_connectome_that_cannot_be_is_refused(weights, names, kind, words):
    with pytest.raises(kind, match=words):
        load_connectome(weights, names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("insula,amygdala\n0,1\n1,x\n", "mine.csv:3: 'x' is not a number"),
        ("insula,amygdala\n0,1\n1\n", "mine.csv:3: 1 numbers under 2 names"),
        ("insula,amigdala\n0,1\n1,0\n", "mine.csv:1: 'amigdala' is not an area"),
        ("area,insula,amygdala\ninsula,0,1\namigdala,1,0\n", "mine.csv:3: 'amigdala' is not an area"),
        ("insula,amygdala\n0,1\n3,0\n", "mine.csv:2: the coupling of insula and amygdala is asymmetric"),
        ("", "the table is empty"),
    ],
)
def test_a_bad_file_names_its_line(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        load_connectome(written(tmp_path, text))


def test_a_receptor_map_replaces_densities_and_refuses_what_is_none(tmp_path):
    found = load_connectome(receptors=written(tmp_path, "area,nmda,glun2b\ninsula,90,0.2\namygdala,30,0.6\n"))
    assert found["brain_network.insula_nmda"] == pytest.approx(3 * found["brain_network.amygdala_nmda"])
    assert found["brain_network.insula_glun2b"] == 0.2
    with pytest.raises(UnknownNameError, match="nearest: nmda"):
        load_connectome(receptors=written(tmp_path, "area,nmdar\ninsula,1\namygdala,2\n"))
    with pytest.raises(InputError, match="a share from 0 to 1"):
        load_connectome(receptors=written(tmp_path, "area,glun2b\ninsula,0.5\namygdala,2\n"))
    with pytest.raises(InputError, match="neither"):
        load_connectome()


def test_a_scenario_names_its_connectome_and_its_own_parameters_come_after(tmp_path):
    written(tmp_path, "insula,amygdala,hippocampus\n0,300,100\n300,0,200\n100,200,0\n")
    text = f"treatments: [racemic 35 mg IV]\nconnectome: mine.csv\nparameters:\n  {PAIRS[0]}: 0.9\n"
    values = load_scenario(written(tmp_path, text, "s.yaml")).values
    assert values[PAIRS[0]] == 0.9
    assert values[PAIRS[1]] == pytest.approx(load_connectome(WEIGHTS, NAMES)[PAIRS[1]])
    for line, words in (
        ("connectome: ../mine.csv", "s.yaml:2: '../mine.csv' is in another folder"),
        ("connectome: mina.csv", "nearest: mine.csv"),
    ):
        with pytest.raises(InputError, match=words):
            load_scenario(written(tmp_path, f"treatments: [racemic 35 mg IV]\n{line}\n", "s.yaml"))


def test_a_file_that_is_not_there_or_no_text_is_said_to_be_so(tmp_path):
    with pytest.raises(InputError, match=r"nope\.csv: the file cannot be read: No such file"):
        load_connectome(tmp_path / "nope.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"binary\.csv: the file is not text"):
        load_connectome(tmp_path / "binary.csv")
