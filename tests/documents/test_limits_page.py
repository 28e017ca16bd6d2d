"""Numbers in the limits of use are those of the model, of the stored scores and of the page on virtual trials."""

import re

import numpy as np
import pandas as pd
import pytest
from document_texts import ROOT

from ketamech.analysis.reference_protocols import load_protocols, simulate_protocols
from ketamech.analysis.scorecard import score_rows
from ketamech.analysis.scorecard_targets import load_targets
from ketamech.calibration.clinical_targets import DIRECTORY
from ketamech.calibration.prior_sensitivity import THRESHOLD
from ketamech.evidence import load_evidence
from ketamech.report.calibration_report import SENSITIVITY
from scripts.publish import SKILL
from scripts.scorecard_page import VARIANTS

PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
TRIALS = (ROOT / "docs" / "trials-scorecard.md").read_text(encoding="utf-8").replace("−", "-")
INFUSION, END = "racemic 0.5 mg/kg IV over 40 min", 40 / 60
BOLUS = "racemic 2 mg/kg IV over 1 min"
TIMES = [*np.arange(0, 3, 0.02), 24.0]  # h: fine enough for the time of a peak
DOSES = (0.1, 0.5, 1, 1.5, 3)  # mg/kg over 40 min


def treated(model, sentence, *outputs):
    """Times (h) and the curve of each output of the treated patient."""
    run = model.simulate(sentence, outputs=outputs, times=TIMES)
    return run["time"].values, *(run[name].sel(patient="treated").values for name in outputs)


def fall(model, sentence):
    """Times (h), and MADRS of the control minus that of the treated patient."""
    run = model.simulate(sentence, outputs=["mood.madrs"], times=TIMES)
    curves = run["mood.madrs"]
    return run["time"].values, curves.sel(patient="control").values - curves.sel(patient="treated").values


def bolus_mood(model):
    hours, madrs = treated(model, BOLUS, "mood.madrs")
    return f"lowest MADRS {madrs.min():.1f} at {hours[madrs.argmin()]:.1f} h, {np.interp(24, hours, madrs):.1f} at 24 h"


def score_at_waking(model):
    hours, awake, score = treated(model, BOLUS, "sedation.consciousness", "dissociation.cadss")
    asleep = np.flatnonzero(awake < 0.5)
    waking = np.interp(0.5, awake[asleep[-1] : asleep[-1] + 2], hours[asleep[-1] : asleep[-1] + 2])
    return f"CADSS at waking from 2 mg/kg | {np.interp(waking, hours, score):.0f} points, {score.max():.0f} soon after"


def largest_effect(model):
    hours, points = fall(model, INFUSION)
    return f"{points.max():.1f} points at {hours[points.argmax()]:.0f} h, {np.interp(24, hours, points):.1f} at 24 h"


def pyramidal_block(model):
    hours, blocked = treated(model, INFUSION, "nmda.blocked_pyramidal")
    return f"| pyramidal NMDA block, end of infusion | {100 * np.interp(END, hours, blocked):.1f} % |"


def unbound_peak(model):
    _, s, r = treated(model, INFUSION, "brain.esketamine", "brain.arketamine")
    return f"unbound brain concentration peaks at {(s + r).max():.2f} umol/L"


def bdnf(model):
    hours, level = treated(model, INFUSION, "plasticity.bdnf")
    return f"| BDNF at 24 h | {np.interp(24, hours, level):.2f} |"


def dose_response(model):
    effects = [np.interp(24, *fall(model, f"racemic {dose} mg/kg IV over 40 min")) for dose in DOSES]
    first, *others = (f"{effect:.1f} at {dose:g}" for dose, effect in zip(DOSES, effects, strict=True))
    text = f"{', '.join(others[:-1])} and {others[-1]} mg/kg"
    return f"{first.replace(' at', ' points at')} mg/kg in 40 min, {text}"


@pytest.mark.parametrize(
    "stated",
    [bolus_mood, score_at_waking, largest_effect, pyramidal_block, unbound_peak, bdnf, dose_response],
    ids=lambda f: f.__name__,
)
def test_the_page_states_what_the_model_gives(stated, model):
    assert stated(model) in PAGE


# Parts of the page, with {evidence row / factor : format} in place of each number of the typical patient.
SCORED = (
    "| fall of MADRS 2 h after a first open-label infusion | {murrough13b-2h:.0f} points |",
    "| endotoxin | TNF {endotoxin00-tnf:.0f} pg/mL at 4 ng/kg;",
    "| IL-6 after an operation | peak at {surgery92-il6-tmax:.0f} h;",
    "| spine turnover | {zuo05:.0f} % replaced in two weeks |",
    "| static slice counts, 24 h | {li10-spine/100:.2f} |",
    "| oral racemic ketamine, Cmax | {zanos-t1-grant-oral:.0f} ng/mL |",
    "| hydroxynorketamine after a film | {simons-t2-s-hnk-50-cmax:.0f} ng/mL at {simons-t2-s-hnk-50-tmax/60:.0f} h |",
    "| intramuscular racemic ketamine | {grant81-im-cmax:.0f} ng/mL at {grant81-im-tmax:.0f} min |",
    "| nasal drops and sprays of children | peaks of {weber-nasal-cmax:.0f}, {malinovsky-n3-cmax:.0f},"
    " {malinovsky-n9-cmax:.0f}, {nielsen14-cmax:.0f} ng/mL; the last at {nielsen14-tmax:.0f} min |",
    "| S-norketamine of children | peak {weber-iv-nk-cmax:.0f} ng/mL after 2 mg/kg IV, {weber-nasal-nk-cmax:.0f} after",
    "| itraconazole | oral S-ketamine as with clarithromycin: {ddi-clari-auc:.1f} times the area |",
    "| norketamine after a racemic spray | peak at {phar2669-50-nasal-nk-tmax:.0f} min |",
    "| S-hydroxynorketamine after a tablet | {hasan21-pr-hnk-s:.0f} times the area of ketamine |",
    "| dehydronorketamine in urine | {urine-dhnk:.0f} % of the dose |",
    "| clarithromycin, nasal | +{ddi-clari-nasal-auc:.0f} % AUC |",
)
PLACE = re.compile(r"\{([\w-]+)/?([-\d.]*)(:[^}]+)?\}")


@pytest.fixture(scope="module")
def typical_patient(model):
    """What the scorecard simulates for each evidence row of SCORED, in the unit of the row."""
    evidence, protocols = load_evidence(), load_protocols()
    named = {match[1] for template in SCORED for match in PLACE.finditer(template)}
    rows = load_targets(evidence, protocols)
    targets = tuple(row for row in rows if row.evidence in named)
    treatments = {target.protocol for target in targets}
    needed = [protocols[name] for name in treatments | {protocols[name].control for name in treatments} - {""}]
    hours = {hour for row in rows for hour in row.measure.stated_hours}  # the times of a peak depend on them
    curves = simulate_protocols(model, needed, hours)
    scored = score_rows(targets, evidence, protocols, curves, model.layout.units, model.parameters)
    return dict(zip(scored["id"], scored["simulated"], strict=True))


@pytest.mark.parametrize("template", SCORED, ids=lambda text: PLACE.search(text)[1])
def test_the_page_states_what_the_scorecard_simulates(template, typical_patient):
    assert filled(template, typical_patient) in PAGE


def filled(template, values):
    """The template with the number of each place, over its factor, in its format."""
    return PLACE.sub(lambda m: format(values[m[1]] / float(m[2] or 1), (m[3] or ":")[1:]), template)


# Numbers of the page on virtual trials: {evidence row} simulated, {evidence row-error} simulated minus published.
PREDICTED = (
    "(TRANSFORM-2 on day 28 {tf2-diff-d28:.1f} against -4.0, TRANSFORM-3 {tf3-diff:.1f} against -3.6,"
    " ASPIRE I at 24 h {aspire1-diff-24h} against -3.8; on day 15 of TRANSFORM-2 {tf2-diff-d15:.1f} against -2.0)",
    "SYNAPSE on day 8 {synapse-diff-84-d8-error:.0f} points too small",
    "{tf2-diff-d28-error/-1:.1f} points too large in large trials of the spray,"
    " {canuso18-diff-d25-error/-1:.1f} points too large on day 25 of PeRSEVERe,"
    " {tf2-diff-d15-error/-1:.1f} on day 15 of TRANSFORM-2",
    "{lapidus14-diff-24h-error/-1:.0f} too large in Lapidus 2014",
    "{tf3-resp-esk:.0f} % respond on the drug and {tf3-resp-pbo:.0f} % on placebo (27 and 13 published)",
    "{murrough13-resp-ket:.0f} % respond at 24 h in a trial like Murrough 2013 (64 published),"
    " {zheng19-resp1:.0f} % at 4 h in Guangzhou (13 published)",
    "The difference from midazolam is {murrough13-diff-24h} points (-7.95 published)",
    "The placebo arm of Lii 2023 is predicted {lii23-madrs-p-d1-error:.1f} points too high at 24 h, and"
    " {lii23-resp-p-d1:.0f} % respond (50 published)",
    "has an effect size of {fava18-d-0p1-d1/-1:.1f} against midazolam (0.8 published)",
    "effect sizes {zarate12-si-d-40min:.2f} and {zarate12-d-40min:.2f} (0.98 and 0.89 published)",
    "is too high ({grunebaum18-resp-k:.0f} %; 55 published)",
    "predicted without it ({su23-si-k-2d:.0f} % at 2 d; 33 published)",
    "within ten days ({zarate12-resp-any-pbo:.0f} %; 0 and 6 published)",
    "{sustain1-relapse-esk:.0f} % on the drug, {sustain1-relapse-pbo:.0f} % on placebo, hazard ratio"
    " {sustain1-hr-rem:.2f} (26.7, 45.3, 0.49 published)",
    "({su23-dereal-k:.0f} % with derealisation on 0.5 mg/kg and {su23-dereal-m:.0f} % on midazolam;"
    " 69 and 17 published)",
)


def predictions():
    """{row: simulated, row-error: simulated minus published}, from the table of all rows."""
    found = {}
    number = r"(-?[\d.e-]+)[^|]*"
    for name, published, simulated in re.findall(rf"\| `([\w-]+)` \| [\w ]+ \| {number}\| {number}\|", TRIALS):
        found |= {name: float(simulated), f"{name}-error": float(simulated) - float(published)}
    return found


@pytest.mark.parametrize("template", PREDICTED, ids=range(len(PREDICTED)))
def test_the_page_states_what_the_virtual_trials_found(template):
    assert filled(template, predictions()) in PAGE.replace("\n", " ")


def test_the_page_states_the_scores_of_the_predictions():
    scores = pd.read_csv(SKILL, comment="#").query("basis == 'left out'").set_index("group")
    levels, differences = scores.loc["all levels"], scores.loc["differences from control in points"]
    assert f"{100 * levels['coverage']:.0f} % of the scored levels and all {differences['rows']} differences" in PAGE
    assert differences["coverage"] == 1
    assert f"the intervals of levels are {levels['width_ratio']:.1f} times as wide as the published ones" in PAGE
    skill, low, high = differences[["skill", "skill_low", "skill_high"]]
    text = f"(skill {skill:.2f}, 95 % {low:.2f} to {high:.2f}), on average {differences['error']:.1f} points too small"
    assert text in PAGE


def test_the_page_states_the_chances_of_null_results():
    found = re.findall(r"^\| ([^|]+) \| \d+ \|[^|]+\| (\w[\w ]*) \| not significant \| (\d+) ", TRIALS, re.M)
    chances = {name: chance for name, source, chance in found if source != "recalled"}
    met = [name for name, chance in chances.items() if int(chance) <= 33]
    days = ("24 h", "72 h", "7 d", "14 d")
    assert sorted(met) == sorted(f"Lii 2023, masked: ketamine, {day}" for day in days)
    of_lii = [chances.pop(f"Lii 2023, masked: ketamine, {day}") for day in days]
    assert f"Lii 24 h, 72 h, 7 d and 14 d ({', '.join(of_lii[:-1])} and {of_lii[-1]} %)" in PAGE
    assert (len(met), len(met) + len(chances)) == (4, 10)
    assert "is met by four of the ten published comparisons without significance" in PAGE
    words = ("TRANSFORM-2 day 15", "Shelton 2025", "TRANSFORM-3", "SYNAPSE 56 mg at 2 h", "PeRSEVERe day 25",
             "SYNAPSE 28 mg on day 8")  # fmt: skip
    missed = [f"{word} ({chance})" for word, chance in zip(words, chances.values(), strict=True)]
    text = f"It is missed by {', '.join(missed[:-1])} and {missed[-1]};"
    assert text in PAGE.replace("\n  ", " ")
    recalled = [chance for _, source, chance in found if source == "recalled"]
    assert f"TRANSFORM-1 84 mg, which is recalled, has {recalled[0]}." in PAGE
    met_by = dict(re.findall(r"^\| ([a-z -]+) \| \d+ \(.* \| (\d+) of 10 \|", TRIALS, re.M))
    assert (met_by["published effect is the truth"], met_by["meta-analysis of the other trials"]) == ("8", "1")
    assert "with the published effects as the truth eight of ten, with a meta-analysis of the other trials one" in PAGE


DECISIONS = {
    path.name[:4]: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))
}
CREDIBILITY = (ROOT / "docs" / "credibility.md").read_text(encoding="utf-8")
AIMS = PAGE.partition("## Aims not reached\n")[2].partition("\n## ")[0]


def numbers_of(pattern, text):
    """The numbers of the one place in a text that has this pattern."""
    (found,) = re.findall(pattern, text)
    return tuple(map(float, found if isinstance(found, tuple) else (found,)))


def test_the_aims_that_are_not_reached_come_after_the_skill_and_before_all_else():
    headings = re.findall(r"^## (.+)$", PAGE, re.M)
    assert headings[:3] == ["Skill", "Aims not reached", "Agreement"]
    assert AIMS.count("\n| ") == 9  # a head and eight aims


def test_the_missed_aims_of_the_skill_are_those_of_its_table():
    scores = pd.read_csv(SKILL, comment="#").query("basis == 'left out'").set_index("group")
    levels, mood, ideation = (scores.loc[name] for name in ("all levels", "levels of mood", "levels of suicidality"))
    assert levels["width_ratio"] > 1.5
    assert f"**{levels['width_ratio']:.2f}** times (levels of mood {mood['width_ratio']:.2f})" in AIMS
    high, low = (scores.loc[f"suicidality, {arm}, response"] for arm in ("drug awake", "control"))
    assert high["error"] > 8
    assert low["error"] < -8
    assert (high["trials"], low["trials"]) == (1, 1)
    assert f"**{high['error']:.1f}** points too high on the drug and **{-low['error']:.1f}** too low" in AIMS
    assert (high["coverage"], low["coverage"]) == (1, 1)
    assert np.isnan(ideation["skill"])
    assert f"| {ideation['rows']} rows of {ideation['trials']} trials: no class" in AIMS
    for name, text in (("differences from control in points", "beyond chance"), ("mood, drug awake, change", "arms")):
        skill, least, most = scores.loc[name, ["skill", "skill_low", "skill_high"]]
        assert least < 0
        assert f"{text} ({skill:.2f}, 95 % {least:.2f} to {most:.2f})" in AIMS
    missed = [int(chance) for chance in re.findall(r"not significant \| (\d+) \([\d to]+\) \| \*\*not met", TRIALS)]
    missed.remove(88)  # recalled
    assert f"**{10 - len(missed)} of 10**; the other six in {min(missed)} to {max(missed)} %" in AIMS


def test_the_missed_aims_of_single_runs_are_those_of_the_decisions():
    growth, error = numbers_of(r"It grows by ([\d.]+) points .* \(standard error ([\d.]+); aim", DECISIONS["0042"])
    fixed, _ = numbers_of(r"-5.5 and grows by ([\d.]+) \(([\d.]+)\)", DECISIONS["0042"])
    assert growth > 1.5 > fixed
    assert f"**{growth:g}** in TRANSFORM-2 (standard error {error:g}); {fixed:g} at a fixed dose" in AIMS
    drug, placebo, *published = numbers_of(
        r"ketamine arm falls by ([\d.]+) points and the placebo arm by ([\d.]+) \(([\d.]+) and ([\d.]+)",
        DECISIONS["0042"],
    )
    assert placebo < 10 < drug
    text = f"placebo **{placebo:g}** points ({published[1]:g} published), ketamine {drug:g} ({published[0]:g})"
    assert text in AIMS
    spread = numbers_of(r"in phase 3 is not met \(([\d.]+) and ([\d.]+)\)", DECISIONS["0025"])
    first_day = numbers_of(r"SD of ([\d.]+) points on average, the same virtual arms ([\d.]+);", DECISIONS["0025"])
    assert max(spread) < 12
    assert first_day[1] < 10
    assert f"**{spread[0]:g}** on the drug and **{spread[1]:g}** on placebo at day 28 of TRANSFORM-2" in AIMS
    assert f"**{first_day[1]:g}** on the first day in twelve arms ({first_day[0]:g})" in AIMS


def test_the_reasons_for_the_width_are_those_of_the_pages_behind():
    shares = dict(re.findall(r"^\| (parameters|trials differ in the control)[^|]*\| (\d+) %", CREDIBILITY, re.M))
    parameters, control = shares["parameters"], shares["trials differ in the control"]
    assert f"({parameters} % of the variance), and the control response differs between trials ({control} %)" in AIMS
    floors = re.search(
        r"\*\*these 52 rows\*\* \| \| \| \*\*([\d.]+) to ([\d.]+)\*\* \| \| \*\*([\d.]+) to", DECISIONS["0038"]
    )
    assert f"would be {float(floors[3]):.1f} to {float(floors[2]):.1f} times as wide" in AIMS


def test_the_reduced_core_is_compared_by_the_stored_tables():
    core = pd.read_csv(VARIANTS / "reduced_core" / "skill.csv", comment="#")
    full = pd.read_csv(SKILL, comment="#")
    pairs = [
        [table.query("basis == 'left out'").set_index("group").loc[group, "skill"] for table in (core, full)]
        for group in ("all levels", "differences from control in points")
    ]
    (levels, differences) = [f"({a:.2f} against {b:.2f})" for a, b in pairs]
    assert f"predicts levels worse (skill {levels[1:]} and differences from control slightly worse {differences}" in (
        CREDIBILITY
    )


def test_the_page_states_what_the_prior_and_the_tables_are():
    sensitivity = pd.read_csv(DIRECTORY / SENSITIVITY, comment="#")
    proposed = pd.read_csv(DIRECTORY / "proposed.csv", comment="#")
    depend = (sensitivity["prior"] > THRESHOLD).sum()
    narrower = proposed["narrower_than_prior"].mean()
    assert f"Of {len(sensitivity)} estimated parameters {depend} depend on their prior" in PAGE
    assert f"the posterior is {100 * narrower:.0f} % narrower than the prior on average" in PAGE
    assert f"Trials draw all {len(proposed)} estimated parameters from the posterior" in PAGE
