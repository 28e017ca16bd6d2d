"""Perturbations, species, dose scaling and the table of experiments from the command line."""

import pytest

from command_line import refused, run
from ketamech.cli.perturbations import perturbations


def typed(*words):
    """Exit code, output and errors of one command line."""
    return run(*words, cwd=".")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("racemic 10 mg/kg IP", "--species", "rat", "--perturb", "BDFN knock-out"), "nearest: BDNF knock-out"),
        (("racemic 10 mg/kg IP with oxytocin blocker", "--species", "rat"), "a blocker without a known target"),
        (("midazolam 1 mg/kg IV", "--species", "mouse"), "no kinetics of midazolam in the mouse"),
        (("racemic 10 mg/kg IP",), "no kinetics of racemic ketamine by route IP in humans"),
        (("racemic 10 mg/kg IP", "--species", "rta"), "nearest: rat"),
    ],
)
def test_one_error_and_nothing_written(words, said, tmp_path):
    folder = tmp_path / "run"
    code, _, err = typed("simulate", *words, "--out", str(folder))
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert not folder.exists()


def test_a_run_keeps_its_species_and_perturbations(tmp_path):
    folder = tmp_path / "run"
    code, _, err = typed(
        "simulate",
        "racemic 10 mg/kg IP",
        "--species",
        "rat",
        "--perturb",
        "NBQX 10 mg/kg IP at -30 min",
        "--out",
        str(folder),
    )
    assert code == 0, err
    written = (folder / "scenario.yaml").read_text(encoding="utf-8")
    assert 'species: "rat"' in written
    assert "NBQX 10 mg/kg IP at -30 min" in written
    assert "with NBQX" in (folder / "report.html").read_text(encoding="utf-8")


def test_scale_dose_prints_three_rules():
    code, out, err = typed("scale-dose", "ketamine 10 mg/kg IP", "--from", "rat", "--to", "human")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()[1:]] == [
        "unbound brain area", "unbound brain peak", "body surface",
    ]  # fmt: skip
    assert "not treatment or dosing advice" in err


@pytest.mark.parametrize(("option", "value"), [("--from", "rta"), ("--to", "humn"), ("--as", "iv ovr 40 min")])
def test_an_error_about_a_value_names_its_option(option, value, tmp_path):
    """Also where the function behind the option has another name for it: `source`, `target`, `route`."""
    message = refused(run("scale-dose", "ketamine 10 mg/kg IP", option, value, cwd=tmp_path), folder=tmp_path)
    assert f"key: {option}\n" in message


def test_perturbations_are_all_listed(tmp_path, capsys):
    perturbations(tmp_path / "table")
    said = capsys.readouterr()
    for name in ("maeng-nbqx", "vgf-ko", "zanos16-deut", "moghaddam-dir-200"):
        assert name in said.out
    assert "wrong" in said.err
    picture = (tmp_path / "table" / "perturbations.svg").read_text(encoding="utf-8")
    assert "zanos16-deut" in picture
    assert "not treatment or dosing advice" in picture.replace("\n", " ")
    assert len((tmp_path / "table" / "perturbations.csv").read_text(encoding="utf-8").splitlines()) > 98
