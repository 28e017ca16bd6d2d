"""Calibration: a chain that resumes bit for bit, a Gaussian it must find, sensible rows, a posterior that opens."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from ketamech.analysis import load_clinical, load_posterior, posterior_hash
from ketamech.analysis.calibration import Chain, Estimated, convergence, load_estimated
from ketamech.analysis.clinical import errors
from ketamech.analysis.posterior import save_posterior
from ketamech.core import BadInput
from ketamech.evidence import load_evidence

NAMES = ("mood.hope_weight", "mood.pace")


@dataclass
class Toy:
    """A likelihood with a known answer: x about (1, -0.5) with SD 0.5 and prior SD 1."""

    estimated: tuple = tuple(Estimated(name, 1.0, 1.0) for name in NAMES)
    rows: tuple = ()
    persons: int = 1
    model: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(layout=SimpleNamespace(fingerprint="toy")))

    def best(self, rounds, tell):
        return np.zeros(2)

    def log_posterior(self, x):
        return float(-0.5 * np.sum(((x - np.array([1.0, -0.5])) / 0.5) ** 2) - 0.5 * np.sum(x**2))


def quiet(done, words):
    pass


def test_the_ensemble_finds_a_gaussian(tmp_path):
    chain, _ = Chain(Toy(), tmp_path / "c.npz", 16).run(2000, quiet)
    kept = chain[500:].reshape(-1, 2)
    assert kept.mean(axis=0) == pytest.approx([0.8, -0.4], abs=0.08)  # precision-weighted with the prior
    assert kept.std(axis=0) == pytest.approx(np.sqrt(1 / 5), rel=0.1)
    rhat, time = convergence(chain[500:])
    assert rhat.max() < 1.05
    assert time.max() < 60


def test_a_killed_chain_goes_on_as_if_nothing_had_happened(tmp_path):
    whole, logs = Chain(Toy(), tmp_path / "whole.npz", 8).run(30, quiet)
    Chain(Toy(), tmp_path / "part.npz", 8).run(11, quiet)
    again, same = Chain(Toy(), tmp_path / "part.npz", 8).run(30, quiet)
    np.testing.assert_array_equal(again, whole)
    np.testing.assert_array_equal(same, logs)


def test_another_calibration_is_not_taken_up(tmp_path):
    Chain(Toy(), tmp_path / "c.npz", 8).run(3, quiet)
    with pytest.raises(BadInput, match="another calibration"):
        Chain(Toy(persons=2), tmp_path / "c.npz", 8).run(5, quiet)
    with pytest.raises(BadInput, match="at least 4"):
        Chain(Toy(), tmp_path / "d.npz", 3).run(5, quiet)


def test_only_calibrate_rows_are_fitted_and_each_once():
    rows = load_clinical()
    assert all(row.row.use == "calibrate" for row in rows if row.fitted)
    names = [row.row.id for row in rows]
    assert len(set(names)) == len(names)
    assert all(np.isfinite(errors(row)) and errors(row) > 0 for row in rows if row.fitted)


def test_every_clinical_calibrate_row_of_mood_and_suicidality_is_mapped_or_a_time():
    mapped = {row.row.id for row in load_clinical()}
    left = [
        row.id
        for row in load_evidence().select(use="calibrate")
        if row.table == "clinical" and row.stage in ("mood", "suicidality") and row.id not in mapped
    ]
    assert len(left) <= 12, left  # times of onset and loss, exposures and mediation, which no statistic here is


def test_estimated_parameters_are_a_dozen_or_so_and_have_priors():
    found = load_estimated()
    assert 10 <= len(found) <= 20
    assert all(0.1 <= p.prior <= 1 and p.usual > 0 for p in found)


def test_a_posterior_goes_out_and_comes_back(tmp_path):
    draws = np.array([[0.7, 1.5], [0.8, 1.2]])
    save_posterior(tmp_path / "p.csv", NAMES, draws)
    found = load_posterior(tmp_path / "p.csv")
    assert [draw["mood.pace"] for draw in found] == [1.5, 1.2]
    assert len(posterior_hash(found)) == 12
    (tmp_path / "p.csv").write_text("mood.pase\n1\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"mood\.pace"):
        load_posterior(tmp_path / "p.csv")
    with pytest.raises(BadInput, match="no posterior"):
        load_posterior(tmp_path / "none.csv")
