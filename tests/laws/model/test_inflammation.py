"""Endotoxin, operations and the kynurenine branch: order, recovery, balance, and no more than a weak link to mood."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from dose_sentences import dose_events_from_text
from ketamech.core import InputError
from ketamech.model.stage import declare_stage
from ketamech.model.stages import all_stages
from ketamech.parameters import load_parameters
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model

HEALTHY = {"person.stress": 0.0, "person.inflammation": 0.0, "person.expectancy": 0.0, "person.baseline_madrs": 3.0}
TIMES = np.concatenate([np.arange(0.0, 48.0, 0.1), np.arange(48.0, 1009.0, 3.0)])
WORDS = {
    "nothing": "",
    "0.8": "endotoxin 0.8 ng/kg IV",
    "2": "endotoxin 2 ng/kg IV",
    "4": "endotoxin 4 ng/kg IV",
    "operation": "surgery over 2 h; general anaesthesia over 2 h",
    "with ketamine": "surgery over 2 h; general anaesthesia over 2 h; racemic 2 mg/kg IV over 1 min",
}


def course(model: Model, label: str, words: str, **values: float) -> Subject:
    named = HEALTHY | {name.replace("__", "."): value for name, value in values.items()}
    return Subject(label, dose_events_from_text(words, model.parameters, named, 200.0) if words else (), named)


@pytest.fixture(scope="module")
def curves(model):
    courses = [course(model, label, words) for label, words in WORDS.items()]
    courses.append(course(model, "no link", WORDS["2"], mood__inflammation_weight=0.0, **UNSPINED))
    found = run_subjects(model, courses, TIMES)
    assert (found.solve_status == "ok").all()
    return found.assign_coords(patient=[c.label for c in courses])


UNSPINED = {"plasticity__quinolinate_bdnf": 0.0, "spines__quinolinate_loss": 0.0}


def peak(curves, name, label="2"):
    line = curves[f"inflammation.{name}"].sel(patient=label)
    top = int(line.values.argmax())
    return float(line.time[top]), float(line[top])


def test_tnf_comes_before_il6_before_il10_before_crp(curves):
    hours = [peak(curves, name)[0] for name in ("tnf", "il6", "il10", "crp")]
    assert hours == sorted(hours)
    assert 1.0 < hours[0] <= 2.0 < hours[2] < 5.0
    assert 18.0 < hours[3] < 30.0


def test_more_endotoxin_means_more_of_everything(curves):
    for name in ("tnf", "il6", "il10", "crp", "quinolinate"):
        heights = [peak(curves, name, dose)[1] for dose in ("0.8", "2", "4")]
        assert heights == sorted(heights)
        assert heights[0] > 1.1


def test_everything_is_back_at_rest_after_six_weeks(curves):
    last, first = curves.isel(time=-1), curves.sel(patient="nothing").isel(time=0)
    for name in [n for n in curves if n.startswith("inflammation.")]:
        away = np.abs(last[name] - first[name])
        assert float(away.max()) < 0.01 * max(1.0, abs(float(first[name]))), name


def test_a_healthy_person_rests_at_one(curves):
    rest = curves.sel(patient="nothing").isel(time=0)
    for name in ("monocytes", "tnf", "il6", "il10", "liver", "crp", "kynurenine_enzymes", "quinolinate"):
        assert float(rest[f"inflammation.{name}"]) == pytest.approx(1.0, abs=1e-9)
    assert float(rest["inflammation.tryptophan"]) == pytest.approx(70.0)


def test_a_wound_raises_il6_and_crp_without_tnf(curves):
    assert peak(curves, "il6", "operation")[1] > 50
    assert peak(curves, "crp", "operation")[1] > 100
    assert peak(curves, "tnf", "operation")[1] < 1.01


def test_ketamine_lowers_the_il6_of_an_operation_a_little(curves):
    """A weak side branch: even an anaesthetic dose takes off less than a third."""
    line = curves["inflammation.il6"].sel(time=slice(1, 6))
    left = float(line.sel(patient="with ketamine").max() / line.sel(patient="operation").max())
    assert 0.67 < left < 1.0


def test_what_flows_into_the_kynurenine_branch_is_what_leaves_it():
    """Of the four pools together only intake and losses are left: every step between them cancels."""
    parameters = load_parameters()
    (write,) = [s for s in all_stages() if s.__name__ == "inflammation"]
    stage = declare_stage(write, parameters)
    pools = [f"inflammation.{n}" for n in ("tryptophan", "kynurenine", "kynurenic_acid", "quinolinic_acid")]
    total = sympy.expand(sum(flux.term for flux in stage.fluxes if flux.state in pools))
    enzymes = sympy.Symbol("inflammation.kynurenine_enzymes", real=True)
    assert sum(flux.term.has(enzymes) for flux in stage.fluxes if flux.state in pools) == 4
    assert not total.has(enzymes)


def test_the_branch_in_balance_gives_back_what_it_took(curves, model):
    """Over a whole challenge: intake less every loss adds up to no change of the pools."""
    value = {n: model.parameters[f"inflammation.{n}"].canonical for n in _RATES}
    line = {n: curves[f"inflammation.{n}"].sel(patient="2").values for n in _POOLS}
    direct = value["tryptophan_turnover"] * (1 - value["liver_share"] - value["induced_share"])
    made = value["tryptophan_turnover"] * (value["liver_share"] + value["induced_share"]) * value["tryptophan_healthy"]
    quinolinic = value["quinolinic_turnover"] * value["quinolinic_healthy"] / made
    other = value["kynurenine_turnover"] * (1 - value["kynurenic_share"] - quinolinic)
    lost = (
        direct * line["tryptophan"]
        + other * line["kynurenine"]
        + value["kynurenic_turnover"] * line["kynurenic_acid"]
        + value["quinolinic_turnover"] * line["quinolinic_acid"]
    )
    net = value["tryptophan_turnover"] * value["tryptophan_healthy"] - lost
    held = sum(line.values())
    gained = np.concatenate([[0.0], np.cumsum(np.diff(TIMES) * (net[1:] + net[:-1]) / 2)])
    moved = np.abs(held - held[0]).max()
    assert moved > 1.0
    assert np.abs(held - held[0] - gained).max() < 0.02 * moved


_RATES = (
    *("tryptophan_turnover", "tryptophan_healthy", "liver_share", "induced_share", "kynurenine_turnover"),
    *("kynurenic_share", "quinolinic_healthy", "kynurenic_turnover", "quinolinic_turnover"),
)
_POOLS = ("tryptophan", "kynurenine", "kynurenic_acid", "quinolinic_acid")


def test_quinolinic_acid_rises_more_and_later_than_kynurenic_acid(curves):
    (early, less), (late, more) = (peak(curves, f"{n}_acid") for n in ("kynurenic", "quinolinic"))
    rest = curves.sel(patient="nothing").isel(time=0)
    assert late > early
    quinolinic, kynurenic = (float(rest[f"inflammation.{n}_acid"]) for n in ("quinolinic", "kynurenic"))
    assert more / quinolinic > less / kynurenic


def test_mood_dips_with_the_cytokines_and_is_back_the_next_day(curves):
    madrs = curves["mood.madrs"].sel(patient="2")
    assert 0.5 < float(madrs.max()) - 3.0 < 10.0
    assert 1.5 < float(madrs.time[int(madrs.values.argmax())]) < 6.0
    assert float(madrs.interp(time=24.0)) == pytest.approx(3.0, abs=0.2)


def test_with_no_link_endotoxin_leaves_mood_alone(curves):
    assert np.abs(curves["mood.change"].sel(patient="no link").values).max() < 1e-3


def test_the_prior_of_the_link_to_mood_includes_zero(model):
    spread = model.parameters["mood.inflammation_weight"].spread
    assert spread.kind == "uniform"
    assert spread.a == 0.0


def test_endotoxin_is_counted_in_doses_of_two_nanograms_per_kilogram(model):
    for words, weight in (("endotoxin 2 ng/kg IV", 50.0), ("LPS 140 ng IV", 70.0), ("endotoxin 0.002 ug/kg IV", 90.0)):
        (entry,) = dose_events_from_text(words, model.parameters, {"person.weight": weight}, 24.0)
        assert entry.compartment == "inflammation.endotoxin"
        assert entry.amount == pytest.approx(1.0)


def test_an_operation_enters_over_its_length_and_brings_no_hope(model):
    (entry,) = dose_events_from_text("surgery over 2 h", model.parameters, {}, 24.0)
    assert (entry.compartment, entry.amount, entry.duration) == ("inflammation.tissue_damage", 1.0, 2.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("endotoxin 2 mg/kg IV", "at most 10 ng/kg"),
        ("endotoxin 2 ng/kg oral", "cannot be given by route"),
        ("surgery 2 mg", "counted in treatments"),
    ],
)
def test_an_invalid_challenge_is_refused(model, words, said):
    with pytest.raises(InputError, match=said):
        dose_events_from_text(words, model.parameters, {}, 24.0)
