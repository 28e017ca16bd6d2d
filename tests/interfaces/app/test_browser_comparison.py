"""Cases compared in the workbench: what a difference is worth, names, patients, texts that are not understood."""

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
    until(page, f"{NOTE}.includes('published differences')")
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
    assert "lorazepam 2 mg oral daily for 2 weeks" in error
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
