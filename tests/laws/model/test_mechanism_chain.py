"""From receptor block to spines and habenula after one infusion: sizes and times of the evidence rows."""

import numpy as np
import pytest

from ketamech import simulate
from ketamech.dosing.dose_events import DoseEvent
from ketamech.parameters.concentration_units import factors
from ketamech.simulation.ensemble import Subject, run_subjects

HOUR = np.unique(np.concatenate([np.linspace(0, 6, 241), np.linspace(6, 48, 85), np.arange(48, 673, 6)]))
WEEK = 168.0
INFUSION = 2 / 3


def racemic(mg_per_kg, start=0.0, hours=INFUSION, share_s=0.5):
    total = mg_per_kg * 70.0 * 1000 / factors()["venous.ketamine"]
    entries = (
        DoseEvent(start, "pharmacokinetics.central_s", total * share_s, hours),
        DoseEvent(start, "pharmacokinetics.central_r", total * (1 - share_s), hours),
    )
    return tuple(entry for entry in entries if entry.amount > 0)


def memantine_titrated():
    """5 mg a day (23 umol of base) more each week, up to 20 mg a day."""
    return tuple(DoseEvent(24.0 * day, "memantine.memantine", 23.15 * min(4, 1 + day // 7)) for day in range(28))


def courses():
    usual = racemic(0.5)
    yield Subject("usual", usual)
    yield from (Subject(f"{dose} mg/kg", racemic(dose)) for dose in (0.1, 0.2, 0.25, 0.3, 1.0))
    yield Subject("anaesthetic", racemic(2.0, hours=1 / 60))
    yield Subject("memantine", memantine_titrated())
    yield Subject("healthy", usual, {"person.stress": 0.0})
    for name in ("nbqx", "rapamycin", "verapamil", "anti_bdnf", "lithium"):
        yield Subject(name, usual, {f"perturbation.{name}": 1.0})
    for name in ("disinhibition", "resting_release", "habenula"):
        yield Subject(f"no {name}", usual, {f"pathway.{name}": 0.0})
    for name, gap in (("twice", 84.0), ("three times", 56.0)):
        doses = int(4 * WEEK / gap)
        yield Subject(name, tuple(entry for i in range(doses) for entry in racemic(0.5, i * gap)))


@pytest.fixture(scope="module")
def curves(model):
    data = run_subjects(model, tuple(courses()), HOUR)
    assert set(data.solve_status.values) == {"ok"}
    return lambda name, course="usual": data[name].sel(patient=course).values


def at(values, hour):
    return float(np.interp(hour, HOUR, values))


def peak_time(values):
    return float(HOUR[np.argmax(values)])


def effect(curves, course, name="plasticity.synaptic_protein", hour=24.0):
    return (at(curves(name, course), hour) - 1) / (at(curves(name), hour) - 1)


CORTICAL_SITES = ("pv", "sst", "pyramidal", "extrasynaptic")


def test_occupancy_lies_between_the_bound_fractions_of_the_sites(curves):
    """A mean over receptors cannot exceed its parts, and binding exceeds functional block at every site."""
    overall = curves("nmda.occupancy")
    bound = np.array([curves(f"nmda.bound_{site}") for site in CORTICAL_SITES])
    assert (bound.min(axis=0) - 1e-9 <= overall).all()
    assert (overall <= bound.max(axis=0) + 1e-9).all()
    for site, fraction in zip(CORTICAL_SITES, bound, strict=True):
        blocked = curves(f"nmda.blocked_{site}")
        assert (fraction[blocked > 1e-3] > blocked[blocked > 1e-3]).all()


def test_block_leaves_silent_cells_more_slowly(model):
    """Channels open with glutamate and firing: with the same drug, the block outlasts it in a silenced cortex."""
    silenced = {"perturbation.muscimol": 0.6}
    subjects = (Subject("active", racemic(0.5)), Subject("silenced", racemic(0.5), silenced))
    data = run_subjects(model, subjects, HOUR, outputs=("nmda.blocked_pyramidal", "nmda.blocked_spinal"))
    active, quiet = (data["nmda.blocked_pyramidal"].sel(patient=name).values for name in ("active", "silenced"))
    assert peak_time(quiet) > peak_time(active)
    assert at(quiet, 2.0) / quiet.max() > 1.1 * at(active, 2.0) / active.max()
    spinal = [data["nmda.blocked_spinal"].sel(patient=name).values for name in ("active", "silenced")]
    assert np.allclose(*spinal, atol=1e-5)


def test_an_escaping_part_lowers_the_block(model):
    """With a seventh of the drug escaping at closure the equilibrium block is x t / (1 + x t) of trapped share t."""
    long = (DoseEvent(0.0, "brain.esketamine", 0.0),)
    held = tuple(DoseEvent(0.0, "pharmacokinetics.central_s", 3000.0, 48.0) for _ in range(1))
    share = model.parameters["nmda.ketamine_trapped_share"].value
    subjects = (Subject("usual", held + long), Subject("trapped", held, {"nmda.ketamine_trapped_share": 1.0}))
    data = run_subjects(model, subjects, HOUR, outputs=("nmda.trapped_spinal",))
    usual, trapped = (at(data["nmda.trapped_spinal"].sel(patient=name).values, 48.0) for name in ("usual", "trapped"))
    assert usual / (1 - usual) == pytest.approx(share * trapped / (1 - trapped), rel=0.02)


def test_overall_occupancy_at_the_end_of_the_infusion_fits_the_in_vivo_anchor(curves):
    assert 0.18 <= at(curves("nmda.occupancy"), INFUSION) <= 0.45


@pytest.mark.parametrize(
    ("subunit", "low", "high"),
    [("2a", 0.08, 0.115), ("2b", 0.085, 0.12), ("2c", 0.29, 0.37), ("2d", 0.14, 0.19)],
)
def test_block_by_subunit_at_the_unbound_plasma_level_of_the_rows(curves, subunit, low, high):
    drug, block = (at(curves(name), INFUSION) for name in ("nmda.equivalent_drug", f"nmda.block_{subunit}"))
    half = drug * (1 - block) / block
    assert low <= 0.49 / (0.49 + half)
    assert 0.68 / (0.68 + half) <= high + 0.005


def test_habenular_block_outlasts_the_drug(curves):
    block, drug = curves("nmda.blocked_habenula"), curves("nmda.equivalent_drug")
    assert at(block, 24) > 0.25 * block.max()
    assert at(drug, 24) < 0.02 * drug.max()
    assert at(block, 96) < 0.1 * block.max()


def test_habenular_bursts_follow_stress_and_fall_for_a_day(curves):
    bursts = curves("habenula.bursting")
    assert bursts[0] == pytest.approx(0.23, rel=0.02)
    assert curves("habenula.bursting", "healthy")[0] == pytest.approx(0.07, rel=0.02)
    assert at(bursts, 4) < 0.5 * bursts[0]
    assert 0.3 * bursts[0] < at(bursts, 24) < 0.85 * bursts[0]
    assert at(bursts, 72) > 0.95 * bursts[0]
    assert np.ptp(curves("habenula.bursting", "no habenula")) < 1e-3  # what drowsiness takes


def test_interneurons_fall_before_pyramids_rise(curves):
    pv, sst, pyramidal = (curves(f"circuit.{name}_rate") for name in ("pv", "sst", "pyramidal"))
    half_fallen = HOUR[np.argmax(pv < 1 - (1 - pv.min()) / 2)]
    half_risen = HOUR[np.argmax(pyramidal > 1 + (pyramidal.max() - 1) / 2)]
    assert sst.min() < 0.9
    assert sst.min() < pv.min() < 0.95
    assert pyramidal.max() > 1.1
    assert curves("circuit.gaba").min() == pytest.approx((sst.min() + pv.min()) / 2, abs=0.02)
    assert half_fallen < half_risen


def test_glutamate_rises_at_the_antidepressant_dose_and_falls_at_the_anaesthetic_one(curves):
    glutamate = curves("glutamate.extracellular")
    assert 1.2 <= glutamate.max() <= 1.8
    assert 0.4 <= peak_time(glutamate) <= 1.2
    assert at(glutamate, 3) < 1.05
    assert at(curves("glutamate.extracellular", "anaesthetic"), 0.2) < 0.95


def test_glutamate_never_approaches_zero(curves):
    assert curves("glutamate.extracellular", "anaesthetic").min() > 0.4


def test_a_benzodiazepine_taken_for_weeks_weakens_the_surge(model):
    """The resting rate is restored by adaptation; the fall of inhibition by ketamine stays smaller."""
    doses = (0.0, 0.5, 0.9)
    subjects = [Subject(f"{share}", racemic(0.5), {"perturbation.benzodiazepine": share}) for share in doses]
    data = run_subjects(model, subjects, HOUR, outputs=("glutamate.extracellular", "circuit.pyramidal_rate"))
    surge = [data["glutamate.extracellular"].values[i] for i in range(3)]
    assert data["circuit.pyramidal_rate"].values[2, 0] == pytest.approx(1, abs=0.01)
    assert surge[0].max() - 1 > 1.05 * (surge[1].max() - 1) > 1.05**2 * (surge[2].max() - 1)


def test_gamma_power_rises_and_is_gone_within_hours(curves):
    gamma = curves("circuit.gamma_power")
    assert 1.3 < gamma.max() < 4
    assert at(gamma, 6) < 1.1


def test_eef2_loses_phosphate_within_the_hour_and_regains_it_by_8_h(curves):
    brake = curves("plasticity.eef2_phosphorylated")
    assert 0.5 <= brake.min() <= 0.75
    assert HOUR[np.argmin(brake)] <= 1.0
    assert at(brake, 8) > 0.95


def test_bdnf_pulse(curves):
    bdnf = curves("plasticity.bdnf")
    assert 1.3 <= bdnf.max() <= 1.8
    assert 0.5 <= peak_time(bdnf) <= 2
    assert at(bdnf, 8) < 1.15
    assert at(bdnf, 24) < 1.15


def test_mtorc1_pulse(curves):
    mtorc1 = curves("plasticity.mtorc1")
    assert 1.4 <= mtorc1.max() <= 2.6
    assert INFUSION <= peak_time(mtorc1) <= INFUSION + 1
    assert 1.05 <= at(mtorc1, 2) <= 1.4
    assert at(mtorc1, 6) == pytest.approx(1, abs=0.05)


def test_surface_receptors_rise_within_hours_and_last_days(curves):
    surface = curves("ampa.surface")
    assert 1.2 <= at(surface, 4) <= 1.6
    assert 1.2 <= at(surface, 24) <= 1.6
    assert at(surface, 168) < 1.1


def test_synaptic_protein_rises_over_a_day_and_is_nearly_gone_in_a_week(curves):
    protein = curves("plasticity.synaptic_protein")
    assert at(protein, 2) >= 1.1
    assert 1.3 <= at(protein, 24) <= 2.3
    assert 1.1 <= at(protein, 72) <= 1.7
    assert 1.05 <= at(protein, 168) <= 1.3


def test_spines_are_flat_at_3_h_up_for_a_week_and_still_up_at_two(curves):
    change = curves("spines.density_change")
    assert at(change, 3) < 1.01
    assert all(1.05 <= at(change, hour) <= 1.15 for hour in (72, 168))
    assert 1.01 <= at(change, 336) <= 1.10


def test_stress_thins_spines(curves):
    assert 0.80 <= curves("spines.density")[0] <= 0.86
    assert curves("spines.density", "healthy")[0] == pytest.approx(1, abs=0.01)


def test_formation_rises_and_elimination_hardly_moves(curves):
    formation, elimination = curves("spines.formation"), curves("spines.elimination")
    assert at(formation, 24) > 1.5 * formation[0]
    assert at(elimination, 24) == pytest.approx(elimination[0], rel=0.05)


def test_dose_response_is_graded(curves):
    assert 0.1 < effect(curves, "0.1 mg/kg") < 0.45  # a low dose has an effect
    assert effect(curves, "0.1 mg/kg") < effect(curves, "0.2 mg/kg") < effect(curves, "0.3 mg/kg") < 1
    assert 0.85 < effect(curves, "1.0 mg/kg") < 1.3  # a plateau near 0.5 mg/kg


@pytest.mark.parametrize("blocker", ["nbqx", "rapamycin", "verapamil", "anti_bdnf"])
def test_blockers_of_the_cascade_abolish_the_lasting_effect(curves, blocker):
    assert abs(effect(curves, blocker)) < 0.35
    assert abs(effect(curves, blocker, "spines.density_change", 120.0)) < 0.35


@pytest.mark.parametrize("blocker", ["nbqx", "rapamycin", "verapamil", "anti_bdnf"])
def test_blockers_of_the_cascade_do_not_raise_spine_density_without_a_drug(curves, blocker):
    assert curves("spines.density", blocker)[0] < 1.001 * curves("spines.density")[0]


def test_lithium_prolongs_the_effect(curves):
    assert effect(curves, "lithium", "spines.density_change", 336.0) > 1.05


@pytest.mark.parametrize("pathway", ["disinhibition", "resting_release"])
def test_either_limb_alone_does_less_than_both(curves, pathway):
    assert effect(curves, f"no {pathway}") < 0.95


def test_memantine_at_its_clinical_level_spares_resting_receptors_and_leaves_no_trace(curves):
    assert curves("memantine.brain_unbound", "memantine").max() > 0.45
    assert curves("nmda.blocked_resting", "memantine").max() < 0.01
    assert 0.005 < curves("nmda.blocked_interneuron", "memantine").max() < 0.05  # brief openings let a fifth escape
    for name in ("plasticity.synaptic_protein", "spines.density_change"):
        assert np.abs(curves(name, "memantine") - 1).max() < 0.02


def test_repeated_doses_add_up_but_a_third_a_week_adds_little(curves):
    def mean(course):
        return curves("spines.density_change", course)[HOUR > 3 * WEEK].mean() - 1

    assert 1.3 < mean("twice") / (curves("spines.density_change").max() - 1) < 3.5
    assert 1 < mean("three times") / mean("twice") < 1.3


@pytest.fixture(scope="module")
def animals(model):
    """A healthy mouse of each gene, with 10 mg/kg into the peritoneum (arm 0) and without (arm 1)."""
    genes = ("litter-mate", "GSK3 knock-in", "VGF knock-down", "GluN2B deletion in cortex for life")
    drug = "racemic 10 mg/kg IP"
    found = {
        gene: simulate(drug, model=model, species="mouse", perturb=["no stress", *genes[i : i + 1][: i > 0]])
        for i, gene in enumerate(genes)
    }

    def read(name, gene, hour, arm=0):
        return float(found[gene][name].isel(patient=arm).interp(time=hour))

    return read


def test_genes_of_the_cascade_change_what_ketamine_does_and_not_the_rest(animals):
    for gene, name in (("GSK3 knock-in", "ampa.surface"), ("VGF knock-down", "plasticity.erk_akt")):
        hour = 24.0 if name == "ampa.surface" else 1.0
        assert animals(name, gene, hour, arm=1) == pytest.approx(animals(name, "litter-mate", hour, arm=1), rel=1e-3)
        assert animals(name, gene, hour) - 1 < 0.8 * (animals(name, "litter-mate", hour) - 1)


def test_gsk3_that_akt_cannot_phosphorylate_limits_translation_and_retention(animals):
    assert animals("plasticity.gsk3_active", "litter-mate", 1.0) < 0.95
    assert animals("plasticity.gsk3_active", "GSK3 knock-in", 1.0) == pytest.approx(1, abs=1e-3)
    made, usual = (animals("plasticity.synaptic_protein", gene, 24.0) for gene in ("GSK3 knock-in", "litter-mate"))
    assert 1 < made < 1 + 0.8 * (usual - 1)


def test_a_cortex_that_never_had_glun2b_is_where_ketamine_would_bring_it(animals):
    gene = "GluN2B deletion in cortex for life"
    assert animals("plasticity.synaptic_protein", gene, 24.0, arm=1) > 1.1
    assert animals("plasticity.eef2_phosphorylated", "litter-mate", 0.5) < 0.7
    assert animals("plasticity.eef2_phosphorylated", gene, 0.5) == pytest.approx(1, abs=1e-3)
