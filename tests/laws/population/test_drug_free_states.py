"""Every drawn patient has a drug-free steady state, also mild cases whose recovery would maintain itself."""

import numpy as np
import pytest

from ketamech.population.virtual_population import load_population
from ketamech.simulation.ensemble import Ensemble

PEOPLE = 2000
MILD = {"baseline_madrs": "uniform 3 20", "stress": "fixed 1"}
TWO_STATES = {**MILD, "mood.self_maintenance_weight": "uniform 3 6"}


@pytest.mark.parametrize("words", [{}, MILD, TWO_STATES])
@pytest.mark.parametrize("name", ["trd", "mdd"])
def test_every_patient_has_a_drug_free_state_at_the_own_score(model, name, words):
    population = load_population(name).with_marginals(words, model.parameters)
    people = population.draw(model.parameters, 1, np.arange(PEOPLE))
    initial = Ensemble.of(model, people.values, [], PEOPLE).initial(threads=2)
    assert initial.found.all()
    madrs = initial.state[:, model.layout.state_names.index("mood.madrs")]
    assert madrs == pytest.approx(people.values["person.baseline_madrs"], abs=1e-6)


def test_the_steady_state_of_a_patient_does_not_depend_on_the_others(model):
    population = load_population().with_marginals(TWO_STATES, model.parameters)
    people = population.draw(model.parameters, 1, np.arange(400))
    some = people.subset(np.arange(0, 400, 7))
    whole, part = (Ensemble.of(model, p.values, [], len(p)).initial() for p in (people, some))
    assert np.array_equal(whole.state[::7], part.state)
