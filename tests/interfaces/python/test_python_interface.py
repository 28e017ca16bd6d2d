"""The public names do what the functions below them do, and refuse what they refuse."""

import inspect
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import ketamech as km
from ketamech.cli import scenario_argument
from ketamech.core import InputError, UnitError, UnknownNameError
from ketamech.core.errors import RenamedWarning
from ketamech.dosing.regimen import Regimen
from ketamech.population.cohort import Cohort, simulate_patients
from ketamech.population.random_draws import adherence
from ketamech.population.virtual_population import load_population
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import as_scenario, simulate_scenario
from ketamech.trials.analysis.power import power
from ketamech.trials.posterior_draws import canonical_draws
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial
from molar_masses import KETAMINE

SENTENCE = "racemic 0.5 mg/kg IV over 40 min"
MADRS = ["mood.madrs"]
PROTOCOL = {
    "title": "Two arms", "population": "trd", "visits": {"MADRS": ["24 h"]},
    "arms": {
        "ketamine": {"treatment": SENTENCE, "n": 12},
        "placebo": {"treatment": "placebo IV over 40 min", "n": 6},
    },
}  # fmt: skip
TABLE = """name,value,unit,spread,status,evidence,locator,reason
sleep.rate,0.1,1/h,lognormal 0.4,assumed,,none,Time constant of ten hours
"""


def sleep(stage):
    """Slow-wave activity relative to baseline."""
    rate = stage.parameter("sleep.rate")
    waves = stage.state("sleep.slow_waves", "1", initial_guess=1.0, description="slow-wave activity")
    bdnf = stage.input("plasticity.bdnf", "1") / stage.baseline("plasticity.bdnf", "1")
    stage.rate(waves, +rate * bdnf, because="BDNF strengthens synapses")
    stage.rate(waves, -rate * waves, because="synaptic renormalisation")


@pytest.fixture(scope="module")
def public():
    return km.Model.load()


@pytest.fixture(scope="module")
def people():
    return km.Population.named("trd", seed=1).sample(5)


@pytest.fixture(scope="module")
def result(public):
    return km.Trial.read(PROTOCOL).run(replicates=2, posterior="none", model=public)


def test_a_scenario_gives_the_same_curves_as_the_function_below(public, model):
    perturb = ["naltrexone 50 mg oral"]
    run = public.simulate(SENTENCE, perturb=perturb, outputs=MADRS)
    expected = simulate_scenario(as_scenario(SENTENCE, model, perturb=perturb), model)
    xr.testing.assert_equal(run["mood.madrs"], expected["mood.madrs"])
    assert list(run.data_vars) == MADRS
    xr.testing.assert_identical(run, km.simulate(SENTENCE, model=model, perturb=perturb, outputs=MADRS))


def test_output_times_can_be_chosen(public, people):
    hours = [0.0, 0.5, 24.0, 800.0]
    run = public.simulate(SENTENCE, outputs=MADRS, times=hours)
    assert list(run["time"].values) == hours
    usual = public.simulate(km.Scenario.read(SENTENCE, horizon=800.0), outputs=MADRS)
    np.testing.assert_allclose(run["mood.madrs"].sel(time=24.0), usual["mood.madrs"].sel(time=24.0), rtol=1e-4)
    assert list(public.simulate(SENTENCE, people, outputs=MADRS, times=hours)["time"].values) == hours
    with pytest.raises(InputError, match="times is not for a table"):
        km.simulate("doses.csv", times=hours, model=public)
    with pytest.raises(InputError, match=r"type: ketamech\.simulate\('doses\.csv'\)"):
        public.simulate("doses.csv")


def test_virtual_patients_have_the_values_of_the_reader_of_single_hours(public, people):
    run = public.simulate(SENTENCE, people, outputs=MADRS)
    assert list(run["patient"].values) == [0, 1, 2, 3, 4]
    (expected,) = simulate_patients(public, people, SENTENCE, [("mood.madrs", 24.0)])
    np.testing.assert_allclose(run["mood.madrs"].sel(time=24.0), expected, rtol=1e-4)
    assert run.quantile([0.05, 0.5, 0.95], "patient")["mood.madrs"].sizes == {"quantile": 3, "time": run.sizes["time"]}


def test_virtual_patients_vary_about_the_values_of_their_model(public, people):
    """A clearance ten times as large is so in every patient, but for a value that was changed after the draw."""
    name, levels = "pharmacokinetics.intrinsic_clearance_s", {"outputs": ["plasma.esketamine"], "times": [4.0]}
    table = public.parameters.with_values({name: 10 * public.parameters[name].canonical})
    other = km.Model.load(table)
    slow, fast = (model.simulate(SENTENCE, people, **levels)["plasma.esketamine"] for model in (public, other))
    assert (fast < 0.8 * slow).all()
    moved = people.with_parameters(table)
    np.testing.assert_allclose(moved.values[name], 10 * people.values[name], rtol=1e-12)
    np.testing.assert_array_equal(moved.values["person.weight"], people.values["person.weight"])
    own = replace(people, values={**people.values, name: np.full(5, 7.0)})
    assert (own.with_parameters(table).values[name] == 7.0).all()
    assert people.with_parameters(public.parameters) is people
    assert moved.subset(np.array([3, 1])).with_parameters(public.parameters).values[name].tolist() == [
        people.values[name][3], people.values[name][1],
    ]  # fmt: skip


def test_virtual_patients_miss_doses_by_chance(public, people):
    """Who misses the only dose has no drug in blood; the others have the level of those who miss none."""
    words, level = "esketamine 84 mg nasal", {"outputs": ["plasma.esketamine"], "times": [2.0]}
    certain = public.simulate(words, people, **level)["plasma.esketamine"].values[:, 0]
    found = public.simulate(f"{words}, missing 50 %", people, **level)["plasma.esketamine"].values[:, 0]
    took = adherence(Regimen.parse(f"{words}, missing 50 %"), 24.0, 1, range(5), 0)[0, 0]
    assert 0 < took.sum() < 5
    np.testing.assert_array_equal(found, np.where(took, certain, 0.0))
    some = people.subset(np.array([3, 1]))
    again = public.simulate(f"{words}, missing 50 %", some, **level)["plasma.esketamine"].values[:, 0]
    np.testing.assert_array_equal(again, found[[3, 1]])


def test_both_draws_of_the_command_are_offered_and_give_its_numbers(public):
    """`simulate --patients 4`, with and without `--population trd`, of a scenario that sets the weight."""
    scenario, hours = km.Scenario.read(SENTENCE, person={"weight": "90 kg"}), [2.0, 24.0]
    outputs = ("mood.madrs", "venous.ketamine")
    trd, spreads = km.Population.named("trd", seed=3).sample(4), km.sample_parameters(4, seed=3, model=public)
    for people, how in ((trd, {"population": load_population("trd")}), (spreads, {})):
        run = public.simulate(scenario, people, outputs=outputs, times=hours)
        command = Cohort(public, scenario, 4, outputs, np.array(hours), seed=3, **how).solve_patients(range(4))
        for name in outputs:
            np.testing.assert_array_equal(run[name], command[name])
    assert not trd.independent
    assert spreads.independent
    assert set(km.sample_parameters(2, vary=["person.weight"], model=public).values) >= {"person.weight"}
    with pytest.raises(InputError, match="0 patients"):
        km.sample_parameters(0, model=public)


def test_the_two_draws_differ_as_the_help_says(public):
    """Independent spreads: wider bands of receptors, about the same of mood, narrower of concentrations."""
    samples = km.sample_parameters(200, model=public), km.Population.named("trd").sample(200)
    wanted = {"outputs": ["nmda.occupancy", "mood.madrs", "venous.ketamine"], "times": [0.667, 24.0]}
    runs = [public.simulate(SENTENCE, people, **wanted).quantile([0.05, 0.95], "patient") for people in samples]
    spreads, people = (run.isel(quantile=1) - run.isel(quantile=0) for run in runs)
    ratio = spreads / people
    assert ratio["nmda.occupancy"].sel(time=0.667) > 2
    assert 0.7 < ratio["mood.madrs"].sel(time=24.0) < 1.4
    assert ratio["venous.ketamine"].sel(time=0.667) < 0.9


def test_patient_i_is_the_same_in_every_sample():
    population = km.Population.named("trd", seed=3)
    some, later = population.sample(4).table(), population.sample(2, first=2).table()
    assert later.equals(some.iloc[2:].reset_index(drop=True))
    with pytest.raises(InputError, match="0 patients"):
        population.sample(0)
    with pytest.raises(UnknownNameError, match="population"):
        km.Population.named("tdr")


def test_a_scenario_states_its_additions_itself(public):
    scenario = km.Scenario.read(SENTENCE, species="rat", perturb=["no stress"], horizon=48.0)
    assert (scenario.species, scenario.horizon, len(scenario.perturbations)) == ("rat", 48.0, 1)
    assert replace(scenario, seed=2).horizon == 48.0
    with pytest.raises(InputError, match="species cannot be added"):
        public.simulate(scenario, species="mouse")


def test_a_trial_runs_as_run_trial_does(public, model, result):
    trial = km.Trial.read(PROTOCOL)
    expected = run_trial(trial, model, replicates=2)
    xr.testing.assert_equal(result.dataset, expected)
    found = result.power([9, 18])
    assert list(found["patients_per_arm"]) == [6, 12]
    assert list(found["patients"]) == [9, 18]
    assert found["power"].between(0, 1).all()
    equal = result.power(patients_per_arm=[6])
    assert (equal["patients"].tolist(), equal["patients_per_arm"].tolist()) == ([12], [6])
    for sizes in ({}, {"patients": [9], "patients_per_arm": [6]}):
        with pytest.raises(InputError, match="size"):
            result.power(**sizes)
    below = power(expected, "MADRS", "24 h", "placebo", [{"ketamine": 6, "placebo": 3}])
    assert found.iloc[0][list(below)].tolist() == below.iloc[0].tolist()
    with pytest.raises(InputError, match="24 patients in arm 'ketamine'"):
        result.power([36])
    assert set(result.analyse().means) == {"MADRS"}


def test_a_trial_can_be_changed_and_sent_to_another_process():
    trial = km.Trial.read("murrough2013").replace(patients=36, seed=5)
    assert [arm.n for arm in trial.arms] == [24, 12]
    assert pickle.loads(pickle.dumps(trial)) == trial
    assert trial.replace(title="x").seed == 5
    with pytest.raises(InputError, match="no trial 'murrough2031'"):
        km.Trial.read("murrough2031")


def test_results_cite_and_become_tables_and_files(public, people, result, tmp_path):
    run = public.simulate(SENTENCE, outputs=MADRS)
    assert km.cite(run) == run.ketamech.cite()
    assert "Murrough" in km.cite(result.dataset, bibtex=True)
    with pytest.raises(InputError, match="ketamech papers"):
        km.cite(xr.Dataset())
    several = public.simulate(SENTENCE, people, outputs=MADRS)
    for dataset, arms in (
        (run, {"treated", "control"}),
        (several, {"treated"}),
        (result.dataset, {"ketamine", "placebo"}),
    ):
        frame = dataset.ketamech.to_frame()
        assert list(frame) == ["replicate", "arm", "patient", "time", "variable", "value", "unit"]
        assert set(frame["arm"]) == arms
    assert several.ketamech.to_frame()["patient"].nunique() == 5
    assert km.cite(run.ketamech.export(tmp_path / "run.csv")) == km.cite(run)


def test_a_stage_is_added_by_one_function_and_one_table(public, tmp_path):
    table = tmp_path / "sleep.csv"
    table.write_text(TABLE)
    model = public.with_stage(sleep, table)
    run = model.simulate(SENTENCE, outputs=["sleep.slow_waves", "plasticity.bdnf", "mood.madrs"])
    before = public.simulate(SENTENCE, outputs=MADRS)
    np.testing.assert_allclose(run["mood.madrs"], before["mood.madrs"], rtol=1e-4)
    treated = run["sleep.slow_waves"].sel(patient="treated")
    assert 1.0 < float(treated.max()) < float((run["plasticity.bdnf"] / run["plasticity.bdnf"][:, 0]).max())
    assert all(line.passed for line in km.check("sleep", model=model))
    assert "sleep.rate" in {name for _, term in model.expression_trees.fluxes for name in str(term).split("'")}
    table.write_text(TABLE.replace("1/h", "h"))
    with pytest.raises(UnitError, match="sleep"):
        public.with_stage(sleep, table)


def test_sensitivity_and_attribution_read_a_sentence(public):
    table = km.sensitivity(SENTENCE, "mood.madrs at 24 h", model=public, parameters=["mood.habenula_weight"])
    assert list(table["parameter"]) == ["mood.habenula_weight"]
    with pytest.raises(InputError, match="no method 'sobel'"):
        km.sensitivity(SENTENCE, model=public, method="sobel")
    with pytest.raises(InputError, match="power of 2"):
        km.sensitivity(SENTENCE, model=public, method="sobol", size=100)
    found = km.attribute(SENTENCE, model=public, endpoints="mood.madrs at 24 h", draws=0)
    assert set(found.table["endpoint"]) == {"mood.madrs at 24 h"}


def test_calibration_refuses_a_parameter_that_is_not_estimated(public):
    with pytest.raises(UnknownNameError, match=r"'mood\.madrs' is not estimated"):
        km.calibrate(model=public, parameters=["mood.madrs"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outputs": "venous.ketamin"}, "nearest: venous.ketamine"),
        ({"times": "24 h"}, r"times=\[0, 2, 24\]"),
        ({"times": 24}, r"times=\[0, 2, 24\]"),
        ({"people": {"person.weight": 90}}, r'parameter_values=\{"person.weight": 90\}'),
        ({"person": {"age": 300}}, "between 0.25 and 110 year"),
    ],
)
def test_a_wrong_option_says_what_to_type(model, options, words):
    with pytest.raises(InputError, match=words):
        km.simulate("racemic 0.5 mg/kg IV", model=model, **options)


def test_one_output_may_be_named_by_its_text(model):
    curves = km.simulate(
        "racemic 0.5 mg/kg IV", model=model, outputs="venous.ketamine", times=[0, 2], person={"age": 75}
    )
    assert list(curves.data_vars) == ["venous.ketamine"]
    assert "is a bolus" in curves.attrs["assumed"]


def test_draws_of_a_user_are_in_the_units_of_the_tables(model):
    assert canonical_draws(model, [{"person.age": 50, "person.weight": "60 kg"}]) == [
        {"person.age": pytest.approx(50 * 8766), "person.weight": 60.0}
    ]
    with pytest.raises(InputError, match=r"person\.age cannot be 500"):
        canonical_draws(model, [{"person.age": 500}])


CALLS = {"Model": "load", "Population": "named", "Scenario": "read", "Trial": "read"}


@pytest.mark.parametrize(("name", "loader"), CALLS.items())
def test_one_class_has_each_public_name_and_a_class_method_that_loads_it(name, loader):
    """Whatever makes one of them makes the public class; calling the class with a source warns and does the same."""
    public_class = getattr(km, name)
    source = {"Model": (), "Population": ("elderly",), "Scenario": (SENTENCE,), "Trial": ("murrough2013",)}[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RenamedWarning)
        loaded = getattr(public_class, loader)(*source)
    assert type(loaded) is public_class
    assert type(replace(loaded)) is public_class
    with pytest.warns(RenamedWarning, match=rf"{name}\.{loader}"):
        called = public_class(*source)
    assert type(called) is public_class
    if name != "Model":
        assert called == loaded


def test_functions_below_the_interface_make_the_public_classes(model):
    assert isinstance(model, km.Model)
    assert isinstance(load_scenario(SENTENCE), km.Scenario)
    assert isinstance(load_population("trd"), km.Population)
    assert isinstance(load_trial(PROTOCOL), km.Trial)
    with pytest.warns(RenamedWarning, match=r"Scenario\.read"):
        called = km.Scenario(SENTENCE, horizon=800.0, seed=4)
    assert called == replace(km.Scenario.read(SENTENCE), horizon=800.0, seed=4)


def _public_functions():
    functions = {name: getattr(km, name) for name in km.__all__ if inspect.isfunction(getattr(km, name))}
    return functions | {"Trial.run": km.Trial.run, "Model.simulate": km.Model.simulate, "Model.load": km.Model.load}


def test_arguments_have_one_kind_in_all_public_functions():
    """The model is an argument by keyword, progress one callback, endpoints a sequence or a text; nothing is hidden."""
    found = {name: inspect.signature(function).parameters for name, function in _public_functions().items()}
    for name, arguments in found.items():
        assert all(one.kind is not one.VAR_KEYWORD for one in arguments.values()), name
        assert all(one.kind is one.KEYWORD_ONLY for key, one in arguments.items() if key in ("model", "progress")), name
        for key, kind in (("progress", "Progress | None"), ("model", "Model | None")):
            assert arguments[key].annotation == kind if key in arguments else True, (name, key)
        if "endpoints" in arguments:
            assert str(arguments["endpoints"].annotation).startswith("str | Sequence[str]"), name
    assert {name for name in found if "progress" in found[name]} >= {
        "attribute", "calibrate", "fit", "scorecard", "sensitivity", "simulate", "Trial.run", "Model.load",
    }  # fmt: skip


def test_a_model_by_position_warns_and_counts(public):
    with pytest.warns(RenamedWarning, match="model="):
        by_position = km.check(public, "spines")
    assert by_position == km.check("spines", model=public)
    with pytest.raises(TypeError, match="persons"):
        km.simulate(SENTENCE, model=public, persons={"weight": 90})


def test_progress_names_the_step_and_counts_to_the_end(public):
    calls = []
    endpoints = ["mood.madrs at 24 h", "dissociation.cadss peak"]
    how = {"model": public, "progress": lambda *call: calls.append(call)}
    table = km.sensitivity(SENTENCE, endpoints, parameters=["mood.habenula_weight"], **how)
    assert set(table["endpoint"]) == set(endpoints)
    pd.testing.assert_frame_equal(
        table, km.sensitivity(SENTENCE, "; ".join(endpoints), parameters=["mood.habenula_weight"], model=public)
    )
    assert calls[-1] == ("simulations", calls[-1][2], calls[-1][2])
    km.attribute(SENTENCE, endpoints[:1], draws=0, **how)
    assert calls[-1] == ("draws", 1, 1)
    km.Trial.read(PROTOCOL).run(replicates=2, posterior="none", **how)
    assert calls[-1] == ("replicates", 2, 2)


def test_a_perturbation_is_one_text_or_several(public):
    how = {"outputs": MADRS, "times": [0.0, 24.0]}
    one = public.simulate(SENTENCE, perturb="naltrexone 50 mg oral", **how)
    xr.testing.assert_identical(one, public.simulate(SENTENCE, perturb=["naltrexone 50 mg oral"], **how))
    plain = public.simulate(SENTENCE, **how)["mood.madrs"].sel(patient="treated", time=24)
    assert float(one["mood.madrs"].sel(patient="treated", time=24)) > float(plain)


def test_the_notes_of_people_name_no_body_weight(public, people):
    typical = public.simulate(SENTENCE, outputs=MADRS, times=[0.0])
    many = public.simulate(SENTENCE, people, outputs=MADRS, times=[0.0])
    assert "body weight 70 kg, none was given" in typical.attrs["assumed"]
    assert "body weight" not in many.attrs["assumed"]
    assert "masses of free base" in many.attrs["assumed"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("hnk", "plasma.r_hydroxynorketamine"), ("norket", "venous.norketamine"), ("CYP", "venous.norketamine"),
     ("BP", "haemodynamics.diastolic_rise"), ("SBP", "haemodynamics.systolic_rise")],
)  # fmt: skip
def test_outputs_are_found_by_abbreviations(public, word, expected):
    assert expected in set(public.outputs(word)["output"])
    with pytest.raises(UnknownNameError, match="there is no output") as refused:
        public.simulate("racemic 35 mg IV", outputs=[word], times=[0, 1])
    stem = expected.rpartition(".")[2].removeprefix("r_")
    assert word == "BP" or all(stem in near for near in refused.value.nearest.split(", "))
    assert set(refused.value.nearest.split(", ")) <= set(public.layout.output_names)
    assert 'Model.load().outputs("' in refused.value.expected


@pytest.mark.parametrize(
    ("phrase", "said", "example"),
    [
        ("ketoconazole 200 mg oral", "clarithromycin represents inhibitors of CYP3A4", "clarithromycin"),
        ("clopidogrel", "ticlopidine represents inhibitors of CYP2B6", "ticlopidine"),
        ("unknown blocker", "a blocker without a known target", "NBQX 10 mg/kg IP at -30 min"),
    ],
)
def test_an_error_of_an_added_perturbation_is_about_its_own_key(phrase, said, example):
    with pytest.raises(InputError, match=said) as refused:
        load_scenario(SENTENCE, perturbations=phrase)
    assert (refused.value.key, refused.value.type_this) == ("perturb", example)
    load_scenario(SENTENCE, perturbations=example)
    with pytest.raises(InputError, match=said) as refused:
        scenario_argument.scenario(SENTENCE, perturb=(phrase,))
    assert (refused.value.key, refused.value.type_this) == ("--perturb", f'--perturb "{example}"')


def test_outputs_are_listed_by_a_word(public):
    table = public.outputs()
    assert tuple(table["output"]) == public.layout.output_names
    assert (table["meaning"] != "").all()
    found = public.outputs("HYDROXYNORKETAMINE IN ARTERIAL").set_index("output")
    assert set(found.index) == {"plasma.s_hydroxynorketamine", "plasma.r_hydroxynorketamine"}
    assert set(found["unit"]) == {"umol/L"}
    assert set(found["shown"]) == {"ng/mL"}
    with pytest.raises(UnknownNameError, match=r"nearest: dissociation\.cadss"):
        public.simulate(SENTENCE, outputs="cadss")


def test_large_objects_have_a_short_text(public, people):
    result = km.Trial.read(PROTOCOL).run(model=public, posterior="none")
    evidence = km.load_evidence()
    for one in (public, public.parameters, people, km.Population.named("trd"), evidence):
        assert len(repr(one)) < 120, type(one)
    assert "Trial(" not in repr(result)
    assert f"{len(public.parameters)} parameters" in repr(public)
    assert len(evidence) == len(evidence.table())


def test_a_regimen_of_text_names_the_reader():
    with pytest.raises(InputError, match=r"Regimen\.parse"):
        Regimen(SENTENCE)


def test_concentrations_are_shown_in_nanograms(public):
    run = public.simulate(SENTENCE, outputs=["venous.ketamine", "mood.madrs"], times=[0.0, 0.667])
    shown = run.ketamech.shown()
    assert (run["venous.ketamine"].attrs["units"], shown["venous.ketamine"].attrs["units"]) == ("umol/L", "ng/mL")
    np.testing.assert_allclose(shown["venous.ketamine"], run["venous.ketamine"] * KETAMINE, rtol=1e-4)
    xr.testing.assert_identical(shown["mood.madrs"], run["mood.madrs"])
    xr.testing.assert_identical(shown, shown.ketamech.shown())
    assert km.cite(shown) == km.cite(run)


def test_a_scenario_is_exported_by_the_suffix_of_the_file(public, tmp_path):
    doses = km.export("esketamine 84 mg nasal twice weekly for 1 week", tmp_path / "doses.csv", model=public)
    again = public.simulate(km.Scenario.read("esketamine 84 mg nasal twice weekly for 1 week"), outputs=MADRS)
    curves = km.simulate(doses, model=public, outputs=MADRS)
    assert float(abs(curves["mood.madrs"].isel(patient=0) - again["mood.madrs"].sel(patient="treated")).max()) < 1e-3
    text = km.export(SENTENCE, tmp_path / "new" / "model.R", model=public)
    assert text.with_suffix(".csv").is_file()
    with pytest.raises(InputError, match=r"\.omex"):
        km.export(SENTENCE, tmp_path / "model.xlsx", model=public)


def test_every_error_has_the_public_base_class():
    with pytest.raises(km.KetaMechError):
        km.Scenario.read("ketamin")


def test_numbers_of_another_type_are_refused_by_name():
    """None as a weight, and half a patient, ended in a traceback."""
    with pytest.raises(InputError, match="weight of type NoneType"):
        km.simulate(SENTENCE, person={"weight": None})
    with pytest.raises(InputError, match=r"1\.5 patients"):
        km.Population.named("trd", seed=1).sample(1.5)
    with pytest.raises(InputError, match="from 0 to 18446744073709551615"):
        km.Population.named("trd", seed=2**64).sample(2)
