"""Midazolam by other routes than into a vein; treatments of trials that the model does not contain."""

import numpy as np
import pytest

from ketamech import simulate
from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.drugs import (
    absorption,
    drug,
    load_absorption,
    load_drugs,
    not_modelled_error,
    route_table,
)
from ketamech.dosing.perturbations import read_perturbation
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import load_parameters

BY_ROUTE = {"IV": 1.0, "IM": "injected", "SC": "injected", "oral": "oral", "nasal": "nasal"}


def amount(route):
    events = dose_events(Regimen.parse(f"midazolam 5 mg {route}"), load_parameters(), {}, 24.0)
    return next(event for event in events if event.compartment == "other_treatments.midazolam")


@pytest.mark.parametrize("route", BY_ROUTE)
def test_the_absorbed_share_of_a_dose_enters_over_the_duration_of_absorption(route):
    table, name = load_parameters(), BY_ROUTE[route]
    share = 1.0 if route == "IV" else table[f"other_treatments.midazolam_{name}_f"].canonical
    duration = 0.0 if route == "IV" else table[f"other_treatments.midazolam_{name}_duration"].canonical
    assert float(amount(route).amount) == pytest.approx(share * 5 / 325.8 * 1000)
    assert float(amount(route).duration) == pytest.approx(duration)


def test_a_swallowed_dose_comes_later_and_is_less(model):
    times = np.array([0.25, 0.5, 1.0, 2.0])
    swallowed, vein = (
        simulate(f"midazolam 5 mg {route}", model=model, times=times)["other_treatments.midazolam"].sel(
            patient="treated"
        )
        for route in ("oral", "IV")
    )
    assert (swallowed.values < vein.values).all()
    assert swallowed.values.argmax() == 2  # of 15 min, 30 min, 1 h, 2 h


def test_every_row_of_absorption_names_a_route_of_its_drug():
    table = load_parameters()
    for (name, route), parts in load_absorption().items():
        assert Regimen.parse(f"{name or 'esketamine'} 1 mg {route}")
        for part in parts:
            shares = [table[share].canonical for share in (part.fraction, part.remainder_of) if share]
            assert all(0 < share <= 1 for share in shares)
            assert {table[time].canonical_unit for time in (part.duration, part.device_interval) if time} <= {"h"}


@pytest.mark.parametrize("name", [drug.name for drug in load_drugs() if drug.enantiomers])
def test_every_route_of_a_ketamine_enters_existing_compartments_and_no_more_than_the_dose(model, name):
    substance, table = drug(name), load_parameters()
    for route in substance.routes:
        assert absorption(substance, route), route
        events = dose_events(Regimen.parse(f"{name} 28 mg {route}"), table, {}, 24.0)
        entering = [event for event in events if event.compartment.startswith("pharmacokinetics.")]
        assert {event.compartment for event in entering} <= set(model.layout.state_names)
        whole = 28 / table["drug.ketamine_molar_mass"].value * 1000
        assert 0.5 * whole < sum(float(event.amount) for event in entering) < whole * (1 + 1e-9)


def test_routes_are_numbered_from_one_without_a_gap():
    numbers = sorted(route.number for route in route_table().values() if route.number is not None)
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("text", "said", "example"),
    [
        ("quetiapine 300 mg oral daily", "'quetiapine' (character 1) cannot be simulated: dopamine", None),
        ("racemic 35 mg IV; quetiapine XR 300 mg oral", "'quetiapine XR' (character 19) cannot be simulated", None),
        ("venlafaxine daily", "one antidepressant represents all", "antidepressant daily"),
        ("lithium 900 mg oral daily", "'lithium' (character 1) is not a treatment of its own", "with lithium"),
        ("nothing", "a group without a drug is given a placebo or usual care", "usual care weekly"),
        ("ketoconazole 200 mg oral", "clarithromycin represents inhibitors of CYP3A4", "with clarithromycin"),
        ("naltrexone 50 mg oral", "'naltrexone' (character 1) is not a treatment of its own", "with naltrexone"),
    ],
)
def test_a_treatment_without_a_mechanism_is_refused_with_the_reason(text, said, example):
    with pytest.raises(InputError) as refused:
        Regimen.parse(text)
    assert said in refused.value.what
    assert (example or "") in (refused.value.type_this or "")
    assert refused.value.nearest is None


def test_the_same_is_reported_after_with():
    with pytest.raises(InputError, match=r"'quetiapine' .*cannot be simulated"):
        read_perturbation("quetiapine 300 mg oral")
    assert not_modelled_error("ketamine", "drug") is None


def test_a_route_that_a_drug_does_not_have_is_no_misspelling():
    with pytest.raises(InputError, match="midazolam cannot be given by route 'sublingual'") as refused:
        Regimen.parse("midazolam 2 mg sublingual")
    assert refused.value.nearest is None
