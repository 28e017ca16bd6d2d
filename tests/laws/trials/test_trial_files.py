"""Trial files: what they may hold, and one clear error for what they may not."""

import json
import re
from pathlib import Path

import pytest

import ketamech
from ketamech.core import InputError
from ketamech.evidence import load_evidence
from ketamech.trials.analysis.power import check_power_sizes
from ketamech.trials.design import arm_sizes
from ketamech.trials.trial_reader import load_trial
from ketamech.trials.trial_schema import trial_schema

SHIPPED = sorted((Path(ketamech.__file__).parent / "data" / "trials").glob("*.yaml"))
GOOD = """\
title: two arms
arms:
  ketamine:
    treatment: racemic 0.5 mg/kg IV over 40 min
    n: 20
  saline:
    treatment: placebo IV
    n: 10
visits:
  MADRS: [24 h, day 8]
dropout: 2 %
"""


def complaint(tmp_path, text):
    """The error that a file makes."""
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as found:
        load_trial(path)
    return found.value


def test_a_visit_may_be_named_by_any_spelling_of_its_time(tmp_path):
    text = GOOD.replace("MADRS: [24 h, day 8]", "MADRS: [24 h, day 8]\n  CADSS: [40 min, day 2]")
    path = tmp_path / "trial.yaml"
    path.write_text(f"{text}primary: CADSS at day 2\n", encoding="utf-8")
    assert load_trial(path).primary == ("CADSS", "24 h")


BAD = {
    "a visit before the first dose": ("placebo IV", "placebo IV at day 5", "visits", 9, "before the first dose"),
    "a negative time": ("24 h, day 8", "-24 h, day 8", "visits.MADRS[0]", 10, "before the first dose"),
    "an arm without doses": ("placebo IV", "''", "arms.saline.treatment", 7, "without doses"),
    "an unknown scale": ("MADRS:", "MADSR:", "visits.MADSR", 10, "no scale 'MADSR'"),
    "a drop-out of 100 %": ("dropout: 2 %", "dropout: 100 %", "dropout", 11, "not possible"),
    "a misspelled key": ("dropout:", "drop_out:", "drop_out", 11, "not a key"),
    "a misspelled key of an arm": ("n: 20", "m: 20", "arms.ketamine.m", 5, "not a key"),
    "no patients": ("    n: 20\n", "", "arms.ketamine", 3, "number of patients"),
    "an absurd dose": ("0.5 mg/kg", "500 mg/kg", "arms.ketamine.treatment", 4, "above the limit"),
    "an unknown drug": ("racemic", "racemix", "arms.ketamine.treatment", 4, "not a known treatment"),
    "a time that is none": ("day 8", "someday", "visits.MADRS[1]", 10, "not a time"),
    "an impossible range": ("dropout: 2 %", "people: {age: normal 45 12 in 90 20}", "people.age", 11, "is impossible"),
    "an unknown population": ("dropout: 2 %", "population: trdd", "population", 11, "no population"),
    "an unknown parameter": ("dropout: 2 %", "parameters: {mood.pase: 1}", "parameters.mood.pase", 11, "no parameter"),
    "blocks that cannot be": ("dropout: 2 %", "allocation: {block: 4}", "allocation.block", 11, "blocks of 4"),
    "a primary that is no visit": ("dropout: 2 %", "primary: MADRS at day 9", "primary", 11, "not a visit"),
    "re-induction without relapse": (
        "treatment: placebo IV", "treatment: [placebo IV weekly, re-induce on relapse]", "arms.saline.treatment", 7,
        "no definition of relapse",
    ),
    "a step at no visit": (
        "dropout: 2 %", "steps: [{at: day 9, when: MADRS > 20, give: placebo IV}]", "steps[0].at", 11, "no visit",
    ),
    "a step on what is not rated": (
        "dropout: 2 %", "steps: [{at: day 8, when: CADSS > 20, give: placebo IV}]", "steps[0].when", 11, "not rated",
    ),
    "chances of leaving of 100 %": (
        "dropout: 2 %", "leave: [{when: MADRS > 20, chance: 100 %}]", "leave[0].chance", 11, "not possible",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_input_names_line_and_key(tmp_path, what):
    old, new, key, line, words = BAD[what]
    assert GOOD.count(old) == 1
    problem = complaint(tmp_path, GOOD.replace(old, new))
    assert problem.key == key
    assert problem.line == line
    assert words in problem.what
    assert str(problem.file).endswith("trial.yaml")


def test_shares_must_add_up(tmp_path):
    text = GOOD.replace("n: 20", "share: 0.6").replace("n: 10", "share: 0.6") + "patients: 90\n"
    problem = complaint(tmp_path, text)
    assert "add up to 1.2" in problem.what
    assert problem.line == 2
    fair = text.replace("0.6\n  saline", "0.4\n  saline")
    (tmp_path / "fair.yaml").write_text(fair, encoding="utf-8")
    assert [arm.n for arm in load_trial(tmp_path / "fair.yaml").arms] == [36, 54]


def test_shares_may_be_percentages(tmp_path):
    text = GOOD.replace("n: 20", "share: 40 %").replace("n: 10", "share: 0.6") + "patients: 90\n"
    (tmp_path / "percent.yaml").write_text(text + "population: {trd: 70 %, bipolar: 30 %}\n", encoding="utf-8")
    trial = load_trial(tmp_path / "percent.yaml")
    assert ([arm.n for arm in trial.arms], trial.population) == ([36, 54], "70 % trd + 30 % bipolar")
    problem = complaint(tmp_path, text.replace("40 %", "40 %% of all"))
    assert (problem.key, problem.line) == ("arms.ketamine.share", 5)
    assert "e.g. 0.5 or 50 %" in problem.expected


def test_a_relapse_by_level_is_told_the_keys(tmp_path):
    problem = complaint(tmp_path, GOOD + "relapse: MADRS >= 22 from day 8\n")
    assert "{when: MADRS >= 22, since: day 29}" in problem.expected


@pytest.mark.parametrize(
    "line", ["allocation: {strata: {site: {A: 0.5, B: 0.6}}}", "allocation: {strata: {site: {A: 1, B: 0}}}"]
)
def test_shares_of_strata_must_add_up(tmp_path, line):
    problem = complaint(tmp_path, GOOD + line + "\n")
    assert problem.key == "allocation.strata.site"


def test_the_nearest_name_is_offered(tmp_path):
    assert complaint(tmp_path, GOOD.replace("MADRS", "MADSR")).nearest == "MADRS"
    assert complaint(tmp_path, GOOD.replace("dropout", "drop_out")).nearest == "dropout"


@pytest.mark.parametrize(
    ("old", "new", "nearest", "type_this"),
    [
        ("dropout: 2 %", "duration: 8 d", "visits", "visits: {MADRS: [24 h, 3 d, day 8]}"),
        ("dropout: 2 %", "duratoin: 8 d", "visits", "visits: {MADRS: [24 h, 3 d, day 8]}"),
        ("dropout: 2 %", "blinding: doubel", "double", "blinding: double"),
        ("dropout: 2 %", "titration: fast", "titration, in arms", "titration: fast"),
        ("dropout: 2 %", "parameters: {mood.pase: 1}", None, None),
        ("dropout: 2 %", "leave: [{when: MADRS > 20, chnace: 10 %}]", "chance", "chance: 10 %"),
        ("n: 20", "blinding: open", "blinding, at the top of the file", "blinding: open"),
        ("n: 20", "dose: 35 mg", "treatment", None),
        ("n: 20", "size: 20", "n", "n: 20"),
        ("n: 20", "banana: 20", None, None),
    ],
)
def test_a_key_that_does_not_exist_says_what_to_type(tmp_path, old, new, nearest, type_this):
    problem = complaint(tmp_path, GOOD.replace(old, new))
    assert (problem.nearest, problem.type_this) == (nearest, type_this)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_trials_load_and_owe_papers_that_exist(path):
    trial = load_trial(path)
    known = load_evidence().references
    assert trial.title
    for key in trial.references:
        assert key in known, f"{path.name} names {key}"
    assert trial.references or trial.description, "a paper, or what it stands for"


def test_the_schema_knows_every_key():
    schema = trial_schema()
    assert schema["title"] == "KetaMech trial"
    assert {"arms", "visits", "blinding", "rescue", "steps", "leave", "allocation"} <= set(schema["properties"])


def test_a_mapping_is_a_file_too():
    trial = load_trial(
        {"title": "x", "arms": {"a": {"treatment": "placebo IV", "n": 3}}, "visits": {"MADRS": ["24 h"]}}
    )
    assert trial.patients == 3
    assert re.fullmatch(r"[0-9a-f]{16}", trial.fingerprint)


def test_the_published_schema_of_trials_is_that_of_the_program():
    published = Path(ketamech.__file__).parents[2] / "docs" / "schema" / "trial.schema.json"
    assert json.loads(published.read_text(encoding="utf-8")) == trial_schema()


def test_the_examples_are_the_shipped_trials():
    folder = Path(ketamech.__file__).parents[2] / "examples" / "trials"
    assert {p.name: p.read_text() for p in folder.glob("*.yaml")} == {p.name: p.read_text() for p in SHIPPED}, (
        "cp src/ketamech/data/trials/*.yaml examples/trials/"
    )


def test_the_withdrawal_trial_ends_at_the_published_number_of_relapses():
    """24 and 39 relapses among patients in stable remission; the file states the same definitions as its paper."""
    rows = [load_evidence().observations[f"sustain1-relapse-{arm}"] for arm in ("esk", "pbo")]
    trial = load_trial(SHIPPED[[path.stem for path in SHIPPED].index("sustain1")])
    assert trial.relapse.last_event == round(sum(row.value / 100 * row.n for row in rows))
    assert (trial.relapse.within, trial.scales["MADRS"].remission) == (15 * 24, 12)
    assert trial.relapse.groups == trial.steps[1].names
    assert trial.arms[0].titration.amounts == (56, 84)
    assert trial.arms[0].adaptive_dosing.reduced_schedule


def test_a_number_of_patients_alone_is_shared_equally(tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(GOOD.replace("    n: 20\n", "").replace("    n: 10\n", "") + "patients: 90\n", encoding="utf-8")
    assert [(arm.name, arm.n) for arm in load_trial(path).arms] == [("ketamine", 45), ("saline", 45)]
    error = complaint(tmp_path, GOOD.replace("    n: 20\n", "").replace("    n: 10\n", ""))
    assert "patients:" in str(error.expected)


def test_a_sentence_in_place_of_an_arm_is_corrected(tmp_path):
    error = complaint(
        tmp_path, GOOD.replace("  saline:\n    treatment: placebo IV\n    n: 10\n", "  saline: placebo IV\n")
    )
    assert (error.key, error.type_this) == ("arms.saline", 'saline: {treatment: "placebo IV"}')


EQUAL_ARMS = GOOD.replace("    n: 20\n", "").replace("    n: 10\n", "")


@pytest.mark.parametrize("patients", [2, 5, 7, 100, 101])
def test_arms_without_numbers_hold_all_patients(tmp_path, patients):
    """5 patients in two arms were 4, because both halves were rounded to the even number."""
    path = tmp_path / "trial.yaml"
    path.write_text(EQUAL_ARMS + f"patients: {patients}\n", encoding="utf-8")
    trial = load_trial(path)
    assert trial.patients == patients
    assert abs(trial.arms[0].n - trial.arms[1].n) <= 1
    assert trial.replace(patients=2 * patients + 1).patients == 2 * patients + 1


def test_shares_of_arms_hold_all_patients():
    """10 patients in shares of 0.95 and 0.05 were 11."""
    for patients in range(6, 60):
        for shares in ([0.95, 0.05], [1 / 3] * 3, [0.5, 0.3, 0.2], [72, 47, 1]):
            sizes = arm_sizes(shares, patients)
            assert sum(sizes) == patients
            assert all(abs(n - share * patients / sum(shares)) < 1 for n, share in zip(sizes, shares, strict=True))


def test_sizes_that_added_up_by_rounding_are_the_same():
    """Halves go to even numbers, as before, so that trials whose sizes added up keep their patients."""
    for patients in range(2, 300):
        for weights in ([47, 25], [1, 1, 1], [40, 20], [0.5, 0.3, 0.2]):
            rounded = [round(weight * patients / sum(weights)) for weight in weights]
            if sum(rounded) == patients:
                assert arm_sizes(weights, patients) == rounded


def test_a_share_of_less_than_one_patient_is_refused(tmp_path):
    shares = GOOD.replace("n: 20", "share: 0.96").replace("n: 10", "share: 0.04") + "patients: 10\n"
    assert "no patient for arm 'saline'" in str(complaint(tmp_path, shares))


def test_a_total_that_the_arms_contradict_is_refused(tmp_path):
    found = complaint(tmp_path, GOOD + "patients: 100\n")
    assert "100 patients in all, and arms of 20, 10" in str(found)
    (tmp_path / "trial.yaml").write_text(GOOD + f"{found.type_this}\n", encoding="utf-8")
    assert load_trial(tmp_path / "trial.yaml").patients == 30


def test_arms_of_a_crossover_have_one_number_of_patients(tmp_path):
    """Every patient passes through every arm: arms of 20 and 10 were 20 patients, and `patients: 20` was 10."""
    found = complaint(tmp_path, GOOD + "crossover: 3 weeks\n")
    assert "arms of 20, 10 patients in a crossover" in str(found)
    typed = re.sub("n: [0-9]+", found.type_this, GOOD) + "crossover: 3 weeks\n"
    (tmp_path / "trial.yaml").write_text(typed, encoding="utf-8")
    assert load_trial(tmp_path / "trial.yaml").patients == 20
    (tmp_path / "trial.yaml").write_text(EQUAL_ARMS + "patients: 20\ncrossover: 3 weeks\n", encoding="utf-8")
    assert load_trial(tmp_path / "trial.yaml").patients == 20
    shares = re.sub("n: [0-9]+", "share: 0.5", GOOD) + "patients: 20\ncrossover: 3 weeks\n"
    assert "a share in a crossover" in str(complaint(tmp_path, shares))


def test_relapse_is_no_condition_of_a_step_and_the_error_says_one_that_is(tmp_path):
    step = "relapse: MADRS > 50 % of baseline from 24 h\nsteps:\n  - {at: day 8, when: RULE, give: placebo IV}\n"
    found = complaint(tmp_path, GOOD + step.replace("RULE", "relapse"))
    (tmp_path / "trial.yaml").write_text(GOOD + step.replace("RULE", found.type_this), encoding="utf-8")
    assert load_trial(tmp_path / "trial.yaml").steps[0].condition.scale == "MADRS"


def test_a_compound_in_a_lead_in_is_refused_and_its_place_is_named(tmp_path):
    lead_in = "with lithium 900 mg oral daily for 2 weeks"
    keys = f"eligibility: {{include: MADRS >= 28, screening: 2 weeks, lead_in: {lead_in}}}\n"
    assert "an arm or add_on" in str(complaint(tmp_path, GOOD + keys))
    (tmp_path / "trial.yaml").write_text(GOOD + f"add_on: {lead_in}\n", encoding="utf-8")
    assert load_trial(tmp_path / "trial.yaml").added_perturbations


def test_too_few_patients_for_a_power_are_told_which_option_gives_more(tmp_path):
    (tmp_path / "trial.yaml").write_text(GOOD, encoding="utf-8")
    trial = load_trial(tmp_path / "trial.yaml")
    with pytest.raises(InputError, match="2 to 10, the number in the smallest arm; or more --patients"):
        check_power_sizes(trial, [20])
    with pytest.raises(InputError, match="2 or more in each arm and more --patients"):
        check_power_sizes(trial.replace(patients=3), [2])


@pytest.mark.parametrize(("written", "typed"), [("0.02", "2 %"), ("2", "2 %"), ("0.5", "50 %"), ("1e-2", "1 %")])
def test_a_percentage_without_its_sign_is_refused(tmp_path, written, typed):
    """'0.02' in quotes was 0.02 %, and a response of '0.5' a fall by half a percent, which nearly everyone has."""
    keys = "thresholds: {MADRS: {response: 'TEXT'}}\ndropout: 'TEXT'\n"
    text = GOOD.replace("dropout: 2 %\n", keys)
    assert complaint(tmp_path, text.replace("TEXT", written)).type_this == typed
    (tmp_path / "trial.yaml").write_text(text.replace("TEXT", typed), encoding="utf-8")
    assert load_trial(tmp_path / "trial.yaml").dropout == float(typed[:-2]) / 100


@pytest.mark.parametrize("fall", ["falls by 150 %", "falls by 0 %", "falls by 5", "falls less than 0.5"])
def test_a_fall_is_a_possible_percentage(tmp_path, fall):
    step = f"steps: [{{at: day 8, when: MADRS {fall}, give: placebo IV}}]\n"
    assert "baseline" in complaint(tmp_path, GOOD + step).expected


def test_all_of_a_trial_counts_days_from_1(tmp_path):
    """An arm with a day 0 was a day later than the visits and the other arms, which count from 1."""
    text = GOOD.replace("placebo IV", "placebo IV on days 0, 3 and 7")
    assert "a trial counts days from 1" in str(complaint(tmp_path, text))
    for key in ("add_on: TEXT\n", "rescue: [{at: day 8, give: TEXT}]\n", "steps: [{at: day 8, give: TEXT}]\n"):
        text = GOOD + key.replace("TEXT", "racemic 35 mg IV on day 0")
        assert "a trial counts days from 1" in str(complaint(tmp_path, text))
