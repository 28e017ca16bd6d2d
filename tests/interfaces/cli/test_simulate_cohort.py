"""`ketamech simulate --patients`: what it writes, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import ketamech as km
from ketamech.cli.main import app
from ketamech.cli.simulate_cohort import cohort_summary, outcome_text, output_times
from ketamech.core import KetaMechError
from ketamech.exchange.cohort_store import read_cohort
from ketamech.simulation.load_scenario import load_scenario

WORDS = "racemic 0.5 mg/kg IV over 40 min"


def simulate(*arguments):
    return CliRunner().invoke(app, ["simulate", WORDS, *arguments], catch_exceptions=True)


def test_a_cohort_is_written_and_summed_up(tmp_path, model):
    done = simulate(
        "--patients",
        "20",
        "--times",
        "0, 2, 24",
        "--outputs",
        "mood.madrs,spines.density",
        "--out",
        str(tmp_path / "c"),
    )
    assert done.exit_code == 0, done.output
    found = read_cohort(tmp_path / "c")
    assert dict(found.sizes) == {"patient": 20, "time": 3}
    assert {"mood.madrs", "spines.density"} <= set(found.data_vars)
    assert [line.split("\t")[1] for line in done.output.splitlines() if line.startswith("mood.madrs\t")][:3] == [
        "0", "2", "24",
    ]  # fmt: skip
    assert "mood.madrs\tlowest (at " in done.output
    assert "20 patients; 0 failed" in done.output
    assert "<svg" in (tmp_path / "c" / "bands.svg").read_text(encoding="utf-8")
    bands = pd.read_csv(tmp_path / "c" / "bands.csv").set_index(["output", "time (h)"])
    assert len(bands) == 6
    for name in ("mood.madrs", "spines.density"):
        expected = np.percentile(found[name].sel(time=24.0).values, (5, 50, 95))
        assert bands.loc[(name, 24.0), ["5 %", "50 %", "95 %"]].to_numpy(dtype=float) == pytest.approx(expected)
    facts = json.loads((tmp_path / "c" / "cohort.json").read_text(encoding="utf-8"))
    assert facts["seed"] == 1
    assert facts["ketamech equations"] == model.layout.fingerprint
    assert str(tmp_path) not in json.dumps(facts)


def test_people_of_a_population_are_those_of_the_python_interface(tmp_path, model):
    shared = ("--patients", "4", "--seed", "3", "--times", "2, 24")
    done = simulate(*shared, "--population", "elderly", "--out", str(tmp_path / "people"))
    assert done.exit_code == 0, done.output
    assert "a clinical sample" not in done.output
    people = km.Population.named("elderly", seed=3).sample(4)
    expected = km.simulate(WORDS, people, model=model, outputs=["mood.madrs"], times=[2.0, 24.0])
    np.testing.assert_array_equal(read_cohort(tmp_path / "people")["mood.madrs"], expected["mood.madrs"])
    facts = json.loads((tmp_path / "people" / "cohort.json").read_text(encoding="utf-8"))
    assert facts["population"] == "elderly"
    done = simulate(*shared, "--out", str(tmp_path / "spreads"))
    assert "the bands are not those of a clinical sample" in done.output
    assert "--population trd" in done.output
    other = read_cohort(tmp_path / "spreads")["mood.madrs"].values
    assert (other != expected["mood.madrs"].values).all()


def test_a_dry_run_says_time_disk_and_memory_and_writes_nothing(tmp_path, model):
    def estimate(patients):
        done = simulate("--patients", str(patients), "--chunk", "8", "--times", "0, 2", "--threads", "2", "--dry-run",
                        "--out", str(tmp_path / "c"))  # fmt: skip
        assert done.exit_code == 0, done.output
        return dict(line.split("\t") for line in done.output.splitlines() if line.count("\t") == 1)

    few, many = estimate(8), estimate(8_000_000)
    assert few["patients"] == "8 in 1 chunks of 8"
    assert many["patients"] == "8,000,000 in 1,000,000 chunks of 8"
    assert many["disk"].startswith("at most 269 MB; free: ")  # 1.05 * 8 bytes * 2 times and 2 facts
    assert many["parallel"] == "2 threads"
    assert few["time"].startswith("0:00:0")
    assert not many["time"].startswith("0:0")
    assert 50 < float(many["memory of each process"].split()[0]) < 5000
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_is_for_many_patients(tmp_path):
    done = simulate("--dry-run", "--out", str(tmp_path / "c"))
    assert done.exit_code == 1
    assert "type: --patients 1000 --dry-run" in str(done.exception)


def test_times_may_be_evenly_spaced_and_the_picture_a_png(tmp_path, model):
    done = simulate("--patients", "3", "--output-interval", "250", "--png", "--out", str(tmp_path / "c"))
    assert done.exit_code == 0, done.output
    assert read_cohort(tmp_path / "c")["time"].values.tolist() == [0, 250, 500, 672]
    assert (tmp_path / "c" / "bands.png").read_bytes().startswith(b"\x89PNG")


def test_the_seed_of_a_file_is_the_seed_of_its_cohort(tmp_path, model):
    file = tmp_path / "s.yaml"
    file.write_text("treatments: [racemic 40 mg IV]\nseed: 9\nhorizon: 2 days\n")
    for name, more in (("file", []), ("told", ["--seed", "9"]), ("other", ["--seed", "1"])):
        call = ["simulate", str(file), "--patients", "4", "--times", "24", "--out", str(tmp_path / name), *more]
        assert CliRunner().invoke(app, call).exit_code == 0
    known, told, other = (read_cohort(tmp_path / name)["mood.madrs"].values for name in ("file", "told", "other"))
    assert (known == told).all()
    assert (known != other).all()


def test_usual_times_resolve_the_peak_after_each_dose():
    """The default grid: an infusion's end and the peak of a spray within 15 % of their time, on every dosing day."""
    for words, peak in ((WORDS, 2 / 3), ("esketamine 84 mg nasal", 0.7)):
        times = output_times(None, None, load_scenario(f"{words} weekly for 3 weeks"))
        for start in (0.0, 168.0, 336.0):
            after = times[(times >= start) & (times <= start + 24)] - start
            assert np.abs(after - peak).min() < 0.15 * peak
            assert np.diff(after[after <= 4]).max() <= 2


def test_negligible_numbers_of_a_summary_are_zero():
    values = np.array([[0.0, 50.0, 1e-40], [0.0, 60.0, -1e-17]])
    curves = xr.Dataset(
        {"dissociation.cadss": (("patient", "time"), values, {"units": "points"})},
        {"time": [0.0, 1.0, 900.0], "solved": ("patient", [1, 1])},
    )
    rows = cohort_summary(curves, load_scenario(WORDS), None)
    assert [row["median"] for row in rows if row["hours"] == "900"] == [0.0]
    assert rows[-1]["hours"] == "peak (at 1)"
    assert rows[-1]["median"] == 55.0


def test_failures_are_counted_by_reason():
    state = {"finished": 200, "failed": 3, "reasons": {"not finite": 1, "too many steps": 2}}
    assert outcome_text(state) == ("200 patients; 3 failed (1.5 %): 1 not finite, 2 too many steps; see failures.csv")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--patients", "0"], "0 patients"),
        (["--patients", "5", "--outputs", "mood.madsr"], "mood.madrs"),
        (["--patients", "5", "--times", "0, x"], "'0, x' is not a list of numbers"),
        (["--patients", "5", "--times", "24, 2"], "ascending order"),
        (["--patients", "5", "--times", "-1, 2"], "must not be negative"),
        (["--patients", "5", "--tolerance", "0"], "a tolerance of 0"),
        (["--patients", "5", "--varying", "person.wieght"], "person.weight"),
        (["--patients", "5", "--chunk", "0"], "chunks of 0"),
        (["--patients", "5", "--outputs", " , "], "no output to keep"),
        (["--patients", "5", "--output-interval", "0"], "an output interval of 0 h"),
        (["--patients", "5", "--output-interval", "-1"], "an output interval of -1 h"),
        (["--patients", "5", "--output-interval", "nan"], "an output interval of nan h"),
        (["--patients", "5", "--output-interval", "24", "--times", "2"], "--times and --output-interval"),
        (["--patients", "5", "--population", "eldery"], "elderly"),
        (["--patients", "5", "--population", "trd", "--varying", "person.weight"], "population trd"),
        (["--population", "trd"], "--population trd is for many patients"),
        (["--seed", "3"], "--seed 3 is for many patients"),
        (["--tolerance", "0"], "--tolerance 0.0 is for many patients"),
        (["--outputs", "mood.madsr"], "mood.madrs"),
        (["--times", "-1, 2"], "must not be negative"),
        (["--person", "weight"], "--person weight"),
        (["--person", "agee=3"], "there is no 'agee' in person"),
        (["--set", "person.age=300"], "out of range"),
        (["--patients", "100000000000"], "the disk has"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(tmp_path, model, arguments, words):
    done = simulate(*arguments, "--out", str(tmp_path / "c"))
    assert isinstance(done.exception, KetaMechError), done.output
    assert words in str(done.exception)
    assert not (tmp_path / "c" / "cohort.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_keeps_the_finished_chunks(tmp_path, model):
    place = tmp_path / "c"
    command = [sys.executable, "-c", "from ketamech.cli.main import main; main()", "simulate", WORDS]
    running = subprocess.Popen(
        [*command, "--patients", "400000", "--chunk", "64", "--times", "0, 24", "--out", str(place)],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what starts the tests may ignore it
    )
    deadline = time.monotonic() + 120
    while not (place / "cohort.json").exists() and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert b"finished parts are saved; continue with the same command and --resume" in said
    found = read_cohort(place)
    assert 64 <= found.sizes["patient"] < 400000
    assert found["mood.madrs"].notnull().all()


def test_a_missing_device_is_reported(tmp_path, model):
    done = simulate("--patients", "5", "--device", "gpu", "--out", str(tmp_path / "c"))
    assert "cuda" in str(done.exception)


def test_one_patient_takes_a_person_outputs_and_times(tmp_path, model):
    more = ["--person", "weight=90 kg, age=75", "--outputs", "venous.ketamine,mood.madrs", "--times", "0.5, 2, 24"]
    done = simulate(*more, "--out", str(tmp_path / "c"))
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "c" / "curves.csv")
    assert list(table) == ["patient", "time (h)", "venous.ketamine (ng/mL)", "mood.madrs (points)"]
    assert list(table["time (h)"]) == [0.5, 2, 24] * 2
    curves = km.simulate(WORDS, model=model, person={"weight": 90, "age": 75}, times=[0.5, 2, 24], outputs="mood.madrs")
    assert table["mood.madrs (points)"][:3].to_numpy() == pytest.approx(curves["mood.madrs"][0].values, abs=1e-3)
    assert "half-life" in done.output
    assert "venous" in next(line for line in done.output.splitlines() if line.startswith("Plasma"))
