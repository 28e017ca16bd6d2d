"""No output leaves its range for any dose up to anaesthesia; ratings of animals are refused."""

import numpy as np
import pytest

from ketamech import simulate
from ketamech.core import InputError
from ketamech.population.virtual_population import load_population
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.output_ranges import exists_in, load_ranges
from ketamech.simulation.simulate import ensemble_of_scenario

PEOPLE = 2000
TOLERANCE = 1e-3  # of the unit of an output: the error of the solver at the usual tolerance
AFTER_A_DOSE = np.concatenate([np.arange(0, 0.5, 1 / 60), np.arange(0.5, 3, 1 / 6)])  # h: each minute of a peak
TIMES = np.unique(np.concatenate([AFTER_A_DOSE, 72 + AFTER_A_DOSE, [4, 8, 12, 24, 48, 80, 96, 168, 336, 672]]).round(9))
TREATMENTS = {
    "trd": (
        "racemic 0.5 mg/kg IV over 40 min 3 times a week for 4 weeks; ECT 3 times a week for 4 weeks",
        "esketamine 84 mg nasal twice weekly for 4 weeks; antidepressant daily for 4 weeks",
        "racemic 1 mg/kg IV over 40 min; racemic 2 mg/kg IV over 40 min at 3 day",
        "racemic 2 mg/kg IV bolus; arketamine 4 mg/kg IV over 10 min at 3 day",
        "racemic 4.5 mg/kg IV over 1 min; racemic 2.46 mg/kg IV over 60 min at 1 min",
        "placebo IV; midazolam 0.045 mg/kg IV over 40 min",
    ),
    "elderly": ("esketamine 84 mg nasal; racemic 3 mg/kg IV over 40 min at 3 day",),
    "suicidal": ("suicidal crisis; racemic 0.5 mg/kg IV over 40 min; racemic 13 mg/kg IM at 3 day",),
    "surgical": ("surgery over 2 h; general anaesthesia over 2 h; racemic 0.5 mg/kg IV over 40 min at 15 min",),
}
CASES = [(name, sentence) for name, sentences in TREATMENTS.items() for sentence in sentences]


def test_the_table_names_outputs_of_the_model(model):
    assert set(load_ranges()) <= set(model.layout.output_names)


@pytest.mark.parametrize(("population", "sentence"), CASES)
def test_no_output_leaves_its_range(model, population, sentence):
    ranges = load_ranges()
    people = load_population(population).draw(model.parameters, 1, range(PEOPLE))
    scenario = load_scenario(sentence, model.parameters)
    ensemble = ensemble_of_scenario(model, scenario, people.values, PEOPLE, TIMES[-1] + 1)
    found = ensemble.solve(TIMES, tuple(ranges), threads=2)
    assert (found.reasons == "ok").mean() > 0.998
    solved = found.reasons == "ok"
    outside = {
        name: (float(values.min()), float(values.max()))
        for name, one in ranges.items()
        if not one.lower - TOLERANCE
        <= (values := found.of(name)[solved]).min()
        <= values.max()
        <= one.upper + TOLERANCE
    }
    assert not outside


@pytest.mark.parametrize("species", ["rat", "mouse"])
def test_an_animal_has_behaviour_and_no_rating(model, species):
    curves = simulate("racemic 10 mg/kg IP", model=model, species=species)
    assert "forced_swim.immobility" in curves
    assert not [name for name in curves.data_vars if not exists_in(species, name)]
    assert not {"mood.madrs", "mood.change", "dissociation.cadss", "suicidality.ideation"} & set(curves.data_vars)


def test_a_rating_of_an_animal_is_refused(model):
    import ketamech

    with pytest.raises(InputError, match=r"mood\.madrs exists for humans only: a rat has no rating"):
        ketamech.simulate("racemic 10 mg/kg IP", model=model, species="rat", outputs=["mood.madrs"])


@pytest.mark.parametrize(
    ("species", "mg_per_kg", "asleep"), [("rat", 10, 0), ("rat", 100, 1), ("mouse", 10, 0), ("mouse", 100, 1)]
)
def test_animals_are_anaesthetised_by_anaesthetic_doses_only(model, species, mg_per_kg, asleep):
    curves = simulate(f"racemic {mg_per_kg} mg/kg IP", model=model, species=species).sel(patient="treated")
    assert float(curves["sedation.consciousness"].min()) == pytest.approx(1 - asleep, abs=0.2)
    if not asleep:
        assert float(curves["sedation.depth"].max()) < 0.1
