"""Cases compared in the workbench: what a difference is worth, names, patients, texts that are not understood."""

import json

import pytest
from browser_helpers import card, findings, open_workbench, show_few_people, until

from ketamech.dosing.perturbations import load_perturbations

NOTE = "(document.querySelector('#panel figure .note-below')?.textContent ?? '')"
LEGEND = "(document.querySelector('#panel figure .legend')?.textContent ?? '')"
NOTES = "(document.querySelector('#curves-notes')?.textContent ?? '')"


def treatment(page, number):
    return card(page, number).locator("[data-key='treatments[0]']")


def test_the_first_cases_are_single_doses_whose_difference_is_judged_by_the_error_of_the_model(page, address):
    open_workbench(page, address)
    assert [treatment(page, i).input_value() for i in (0, 1)] == [
        "racemic 0.5 mg/kg IV over 40 min", "esketamine 84 mg nasal",
    ]  # fmt: skip
    until(page, f"{NOTE}.length > 20")
    basis = page.request.get(f"{address}/api/comparison").json()
    text = page.evaluate(NOTE)
    assert text.startswith("24 hours after the start the score on B is ")
    assert f"about {round(basis['error'])} points ({basis['rows']} published differences" in text
    assert "less than the error of the model" in text
    assert "No trial in the tables compared A and B." in text
    page.focus("#time-slider")
    page.keyboard.press("End")
    until(page, f"{NOTE}.startsWith('30 days after') || {NOTE} === ''")  # after the horizon there is no score
    treatment(page, 1).fill("midazolam 0.045 mg/kg IV over 40 min")
    page.keyboard.press("Tab")
    page.focus("#time-slider")
    for _ in range(200):
        page.keyboard.press("ArrowLeft")
    until(page, f"{NOTE}.includes('were compared in')")
    assert "For comparison, the error of the model" in page.evaluate(NOTE), "a difference larger than the error"


def test_with_bands_the_difference_has_a_range_over_virtual_patients(page, address):
    show_few_people(page)
    open_workbench(page, address)
    page.locator("#curves-people").check()
    until(page, f"{NOTE}.includes('In 90 of 100 virtual patients who get both')")


def test_a_title_follows_the_treatment_until_it_is_typed(page, address):
    open_workbench(page, address)
    title = page.get_by_label("Title of case B")
    treatment(page, 1).fill("esketamine 56 mg nasal twice weekly for 4 weeks")
    assert title.input_value() == "esketamine 56 mg nasal twice weekly for 4 weeks"
    until(page, f"{LEGEND}.includes('B esketamine 56 mg nasal twice weekly for 4 weeks')")
    treatment(page, 1).fill("esketamine 84 mg nasal")
    assert title.input_value() == "Esketamine nasal spray, one dose", "that of its preset again"
    title.fill("My spray")
    treatment(page, 1).fill("esketamine 28 mg nasal")
    assert title.input_value() == "My spray"


def test_a_course_is_shown_on_a_linear_time_until_a_range_is_chosen(page, address):
    open_workbench(page, address)
    assert page.locator("#time-range").input_value() == "month"
    treatment(page, 1).fill("esketamine 84 mg nasal twice weekly for 4 weeks")
    until(page, "document.querySelector('#time-range').value === 'weeks'")
    treatment(page, 1).fill("esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks")
    until(page, "document.querySelector('#time-range').value === 'course'")
    page.select_option("#time-range", "month")
    treatment(page, 1).fill("esketamine 84 mg nasal twice weekly for 4 weeks")
    until(page, f"{LEGEND}.includes('twice weekly for 4 weeks') && !{LEGEND}.includes('then weekly')")
    assert page.locator("#time-range").input_value() == "month", "chosen"


def test_published_values_do_not_vanish_without_a_reason(page, address):
    open_workbench(page, address)
    page.wait_for_selector("#panel .published-point")
    until(page, f"{NOTES}.includes('B: the tables hold no published values of exactly these doses')")
    assert "A:" not in page.evaluate(NOTES)
    card(page).locator("summary", has_text="Patient").click()
    card(page).locator("[data-key='person.age']").fill("67")
    until(page, f"{NOTES}.includes('A: no published values are shown for a person of 67 years')")
    assert page.locator("#panel .published-point").count() == 0
    card(page).locator("[data-key='person.age']").fill("")
    until(page, f"!{NOTES}.includes('67 years')")


def test_a_text_that_is_not_understood_keeps_the_case_and_says_so(page, address):
    open_workbench(page, address)
    curves = page.locator("#panel figure").first.locator("path.curve")
    count = curves.count()
    card(page, 1).locator("summary", has_text="Perturbations").click()
    perturbations = card(page, 1).locator("[data-key=perturbations]")
    perturbations.fill("lorazepam 2 mg oral daily")
    until(page, f"{LEGEND}.includes('(not updated)')")
    assert curves.count() == count
    assert "B: the text is not understood" in page.evaluate(NOTES)
    error = card(page, 1).locator(".field-error:not(:empty)").inner_text()
    assert "diazepam 420 mg oral over 42 days" in error
    perturbations.fill("lorazpem 2 mg oral")
    until(page, "document.querySelectorAll('.case')[1].textContent.includes('a drug in a dose for people')")
    error = card(page, 1).locator(".field-error:not(:empty)").inner_text()
    laboratory = [name for name, one in load_perturbations().items() if one.kind == "knock-out"]
    assert not [name for name in laboratory if name in error]
    perturbations.fill("lorazepam 2 mg oral at -120 min")
    until(page, f"!{LEGEND}.includes('(not updated)')")
    page.click("#tab-population")
    page.wait_for_selector("#panel path.band")
    until(page, "document.querySelectorAll('#panel .scroll-x tbody tr').length === 2")
    perturbations.fill("lorazepam 2 mg oral daily")
    until(page, "document.querySelector('#panel .scroll-x tbody')?.textContent.includes('(not updated)')")


def test_a_benzodiazepine_taken_daily_is_the_first_perturbation_that_is_offered(page, address):
    open_workbench(page, address)
    card(page).locator("summary", has_text="Perturbations").click()
    offered = card(page).get_by_label("Add a perturbation")
    group = offered.locator("optgroup").first
    assert group.get_attribute("label") == "drugs in doses for people"
    option = group.locator("option").first
    assert option.inner_text().startswith("benzodiazepine taken daily, 10 mg of diazepam a day")
    before = page.evaluate(LEGEND)
    offered.select_option(option.get_attribute("value"))
    until(page, f"old => {LEGEND} !== old", arg=before)
    assert card(page).locator("[aria-invalid=true]").count() == 0
    assert "The loss of effect is assumed" in card(page).locator(".perturbation-note").first.inner_text()
    assert findings(page) == []


def test_the_patient_has_plain_labels_units_and_choices(page, address):
    open_workbench(page, address)
    card(page).locator("summary", has_text="Patient").click()
    labels = card(page).locator("details[open] .field label").all_inner_texts()
    assert labels[:3] == ["Age", "Body weight", "Depression before treatment"]
    assert not [label for label in labels if "_" in label or label in ("asian", "japanese")]
    assert card(page).locator("[data-key='person.asian'] option").all_inner_texts() == ["no", "yes"]
    liver = card(page).locator("[data-key='person.liver_function']")
    before = page.evaluate(LEGEND)
    liver.select_option("Child-Pugh B")
    until(page, f"old => {LEGEND} !== old", arg=before)
    assert card(page).locator("[aria-invalid=true]").count() == 0
    liver.select_option("1")
    until(page, f"old => {LEGEND} === old", arg=before)
    assert "no value for sex" in card(page).locator("details[open]").inner_text()
    assert findings(page) == []


def test_scores_by_dose_open_a_day_after_the_dose(page, address):
    open_workbench(page, address)
    page.click("#tab-dose")
    until(page, "document.querySelector('#panel figure').textContent.includes('24 hours after the start, by dose')")


SCORECARD_ROW = {
    "id": "a", "stage": "mood", "citation": "A 2000", "quantity": "change", "protocol": "p", "unit": "points",
    "simulated": -7, "published": -8, "spread": "", "expected": "", "comparison": "z", "verdict": "inside",
    "use": "calibrate", "fitted": True, "role": "fitted", "deviation": 0.1,
}  # fmt: skip


def test_the_scorecard_counts_independent_rows_first_and_is_filtered_by_role(page, address):
    open_workbench(page, address)
    rows = [
        SCORECARD_ROW,
        SCORECARD_ROW | {"id": "b", "role": "independent", "verdict": "miss"},
        SCORECARD_ROW | {"id": "c", "role": "independent", "stage": "safety"},
        SCORECARD_ROW | {"id": "d", "role": "same trial"},
    ]
    page.evaluate(
        "async found => { const { resultNodes } = await import('/js/tab-scorecard.js');"
        " document.querySelector('#panel').replaceChildren(...resultNodes(found)); }",
        {"rows": rows, "uncovered": 3},
    )
    bars = page.locator("#panel .role-bar p")
    assert bars.nth(0).inner_text() == "Independent, a test: 2 rows: 1 inside, 1 miss."
    assert bars.nth(2).inner_text() == "Fitted, no test: 1 row: 1 inside."
    page.get_by_label("Stage").select_option("mood")
    assert bars.nth(0).inner_text() == "Independent, a test: 1 row: 1 miss."
    page.get_by_label("Role").select_option("independent")
    assert page.locator("#panel tbody tr").count() == 1


def mean(arm, visit, hour, change):
    return {"arm": arm, "visit": visit, "hour": hour, "n": 50, "mean": 38 + change, "change": change, "sd": 12.3,
            "low": change - 2, "high": change + 2}  # fmt: skip


VISITS = (("baseline", 0, 0), ("24 h", 24, -8), ("day 8", 168, -10), ("day 28", 648, -15))
TRIAL = {
    "title": "A trial", "assumptions": [], "cautions": ["an arm that is not inferior need not have an effect"],
    "enrolled_by_rating": False, "relapse_rule": "", "responses": {"MADRS": 0.5},
    "arms": [{"name": "placebo", "n": 90, "treatment": "placebo nasal"}, {"name": "drug", "n": 90, "treatment": "x"}],
    "replicates": 100, "primary": "MADRS at day 28", "reference": "placebo", "reference_is_control": True,
    "criterion": "better with p < 0.05", "differences": ["MADRS at day 28: 4.0 points lower on drug than on placebo."],
    "effects": [{"arm": "drug", "difference": -4, "low": -8, "high": 0, "success_share": 0.92, "success_low": 0.8,
                 "success_high": 0.97}],
    "published": [
        {"arm": "drug", "statistic": "hazard ratio", "against": "placebo", "unit": "ratio", "id": "a", "fitted": False,
         "published": 0.49, "published_low": 0.29, "published_high": 0.84, "simulated": 0.4, "low": 0.2, "high": 0.45},
    ],
    "errors": [], "units": {"MADRS": "points", "SBP": "mmHg"},
    "means": {
        "MADRS": [mean(arm, *visit) for arm in ("placebo", "drug") for visit in VISITS],
        "SBP": [mean(arm, *visit) for arm in ("placebo", "drug")
                for visit in (("40 min", 2 / 3, 5), ("168.67 h", 168.67, 5))],
    },
    "response_rates": {}, "comparison": [], "is_within_patients": False, "is_withdrawal": False, "relapse_note": "",
    "survival": [], "relapse": [], "power": [], "dropout_share": {"drug": 0.1}, "not_estimated": {}, "failed_share": 0,
    "sample_size": [{"arm": "drug", "text": "drug: 53 patients in each arm.", "patients": 106, "limit": 1, "low": 80,
                     "patients_per_arm": {"drug": 53}, "type_2_error": 0.2, "simulated": 180, "target": 0.8}],
    "reproduction": {"file": "", "command": "c", "python": "p"},
}  # fmt: skip


def test_a_trial_result_names_the_days_of_its_protocol_and_the_size_first(page, address):
    open_workbench(page, address)
    page.evaluate(
        "async found => { const { trialResultNodes } = await import('/js/trial-results.js');"
        " document.querySelector('#panel').replaceChildren(...trialResultNodes(found, null).filter(Boolean)); }",
        json.loads(json.dumps(TRIAL)),
    )
    important = page.locator("#panel .findings .finding").all_inner_texts()
    assert important[0] == "drug: 53 patients in each arm."
    assert important[1].startswith(
        "In the largest trials that were simulated (90 in placebo, 90 in drug): MADRS at day 28"
    )
    assert page.locator("#panel .findings > *").first.inner_text().startswith("An arm that is not inferior")
    until(page, "document.querySelectorAll('#panel figure > svg text').length > 4")
    madrs = page.locator("#panel figure", has_text="MADRS, mean of each arm")
    assert madrs.locator("h3").inner_text().startswith("Day 28 – ")
    texts = madrs.locator("svg text").all_text_contents()
    assert {"8", "28"} <= set(texts)
    assert not [text for text in texts if "." in text], "no day 27.0 or 0.0278"
    pressure = page.locator("#panel figure", has_text="SBP, mean of each arm")
    assert "mmHg" in pressure.locator(".unit").inner_text()
    assert pressure.locator("h3").inner_text().startswith("Day 8, 40 min – ")
    assert page.get_by_role("region", name="MADRS at every visit").locator("thead th").all_inner_texts() == [
        "arm", "24 h", "Day 8", "Day 28",
    ]  # fmt: skip
    assert "12.3" in page.get_by_role("region", name="Arms, 100 trials").inner_text(), "the SD of the change"
    published = page.get_by_role("region", name="Relapse in the published trial").inner_text()
    assert "hazard ratio, drug against placebo" in published
    assert "0.49 (0.29 to 0.84)" in published
    assert "outside" in published
    assert "ANCOVA" in page.locator("#panel").inner_text()
    colours = madrs.locator(".legend li").all_inner_texts()
    assert colours[0].startswith("placebo")
    assert madrs.locator(".legend li").first.locator(".stroke-1").count(), "the reference has the last colour"


@pytest.mark.parametrize("runs", [8])
def test_stored_runs_have_numbers_and_say_which_curves_are_not_drawn(page, address, runs):
    open_workbench(page, address)
    power = [{"arm": "drug", "patients_per_arm": n, "power": n / 100, "low": n / 120, "high": n / 90} for n in (20, 40)]
    stored = [
        {"name": f"Run {i}", "request": {"days": [1], "seed": 1, "shipped": "", "alpha": 0.05, "margin": None},
         "result": TRIAL | {"power": power}} for i in range(runs)
    ]  # fmt: skip
    page.evaluate("runs => localStorage.setItem('ketamech.trials', JSON.stringify(runs))", stored)
    page.reload()
    page.click("#tab-trial")
    table = page.locator("#panel .runs tbody").first
    rows = {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in table.locator("tr").all()}
    assert (rows["patients in all"], rows["alpha"], rows["difference, points"]) == ("106", "0.05", "−4")
    assert "the last 6 of 8 curves" in page.locator("#panel .runs figure").inner_text()
    whiskers = page.locator("#panel .runs svg line[class^=stroke-]")
    first = whiskers.evaluate_all("all => all.map((one) => Number(one.getAttribute('x1')))")
    assert max(first[0::2]) - min(first[0::2]) <= 8.1, "all of 20 patients stand at 20 patients"
