"""The trial desk, the drawing of the chain, evidence in pages, and the teacher's sheet in a browser."""

import csv
import json
import re

import pytest
from browser_helpers import LINK_CONTENT, findings, fits_the_width, open_story, open_workbench, settle, until

from ketamech.analysis.exercises import load_exercises, load_lesson

BAR_NOTE = "getComputedStyle(document.querySelector('#time-bar'), '::after').content"
ARM = "esketamine 56 mg nasal on day 1, then 56 to 84 mg by response and tolerability on days 4, 8"


def run_small_trial(page):
    page.click("#tab-trial")
    page.get_by_label("Patients per arm", exact=True).fill("8")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("2")
    page.get_by_label("Visit days").fill("1, 7")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .findings")


def stored_runs(page):
    """Names of the stored runs in their table."""
    names = page.locator("#panel .runs table").first.locator("tbody th strong").all_inner_texts()
    return list(dict.fromkeys(names))


def test_a_run_begins_with_its_difference_is_stored_compared_and_exported(page, address):
    open_workbench(page, address)
    run_small_trial(page)
    first = page.locator("#panel .findings .finding").first.inner_text()
    assert "points lower on" in first or "points higher on" in first
    assert "than on placebo" in first
    assert "MADRS at 1 d" in first, "the first visit after a single dose"
    text = page.locator("#panel .findings").inner_text()
    sentences = text.count("does not succeed with a chance of ") + text.count("although the model has it")
    assert "mean of 2 trials with 8 patients in each arm" in first, "the size of the numbers"
    assert sentences == text.count("points lower on"), "one for each arm that is better"
    figure = page.locator("#panel figure").first
    assert figure.locator("h3").inner_text().startswith("Day 1 – ")
    notes = page.locator("#panel").inner_text()
    assert "Response: MADRS falls by at least 50 % of baseline." in notes
    assert "regression to the mean" in notes.split("Patients enter by the scores of the population")[1].split("\n")[0]
    visits = page.get_by_role("region", name="MADRS at every visit").locator("thead th").all_inner_texts()
    assert visits == ["arm", "Day 1", "Day 7"]
    assert {"1", "7"} <= set(figure.locator("svg text").all_text_contents()), "the axis has the days of the visits"
    assert "follow the selected time" in page.evaluate(BAR_NOTE)
    figure.locator("summary").click()
    first_visit = figure.locator("table tr").nth(1).locator("td")
    assert [first_visit.nth(i).inner_text() for i in (0, 2)] == ["0", "–"], "no interval of a change at baseline"
    captions = page.locator("#panel [role=region]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert any("compared with" in text and "adjusted for baseline" in text for text in captions)
    for name in ("Small", "Again"):
        page.get_by_label("Name of this run").fill(name)
        page.get_by_role("button", name="Store this run").click()
        until(page, "n => document.querySelector('#panel .runs')?.textContent.includes(n)", arg=name)
        page.locator(".jobs").evaluate("one => { one.open = true }")
        page.evaluate("document.querySelector('#panel .findings').classList.add('before')")
        page.get_by_role("button", name="Show Trial:").first.click()  # the result of the job again
        page.wait_for_selector("#panel .findings:not(.before)")
    assert stored_runs(page) == ["Small", "Again"]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the comparison as CSV").click()
    with saved.value.path().open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["run"] for row in rows)) == ["Small", "Again"]
    assert {(float(row["alpha"]), int(row["simulated_per_arm"])) for row in rows} == {(0.05, 8)}
    assert all(float(row["low"]) <= float(row["difference"]) <= float(row["high"]) for row in rows)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save all files (ZIP)").click()
    assert saved.value.path().read_bytes().startswith(b"PK")
    page.reload()
    page.wait_for_selector("#panel .runs thead")
    page.get_by_role("button", name="Show Small").click()
    assert page.locator("#panel .findings .finding").first.inner_text() == first
    patients = page.get_by_role("spinbutton", name="Patients per arm")
    patients.fill("9")
    page.get_by_role("button", name="Use the settings of Small").click()
    assert patients.input_value() == "8"
    assert page.get_by_label("Visit days").input_value() == "1, 7"
    assert page.get_by_role("combobox", name="Trial").locator("option:checked").inner_text() == "Arms written here"
    assert page.get_by_label("Name of arm 1").input_value() == "Ketamine infusion"
    page.get_by_role("button", name="Remove Again").click()
    assert stored_runs(page) == ["Small"]
    assert page.locator(".jobs summary").inner_text().startswith("Jobs: 0 open")
    assert findings(page) == []
    assert page.console_errors == []


def test_arms_written_here_may_be_adaptive_and_errors_appear_at_them(page, address):
    open_workbench(page, address)
    page.click("#tab-trial")
    page.get_by_role("combobox", name="Trial").select_option("Arms written here")
    page.get_by_role("button", name="Remove arm 2").click()
    page.get_by_label("Treatment of arm 1").fill("esketamin 56 mg nasally")
    page.get_by_role("button", name="Find the sample size").click()
    page.wait_for_selector("#panel .arm .field-error:not(:empty)")
    page.get_by_label("Treatment of arm 1").fill(ARM)
    bodies = []
    page.on("request", lambda request: bodies.append(request.post_data) if "sample-size" in request.url else None)
    page.get_by_label("Target power").fill("50")
    page.get_by_label("Primary endpoint: MADRS at day").select_option("7")
    page.get_by_role("spinbutton", name="Replicates", exact=True).fill("2")
    page.get_by_role("button", name="Find the sample size").click()
    page.wait_for_selector("#panel .job-progress, #panel .findings")
    request = json.loads(bodies[-1])
    assert list(request["arms"].values()) == [ARM]
    assert (request["control"], request["target_power"], request["dropout"]) == ("double-dummy", 0.5, "2 %")
    assert request["primary_day"] == 7
    page.locator(".jobs").evaluate("one => { one.open = true }")
    until(page, "document.querySelector('.job-list')?.textContent.includes('Sample size')")
    page.evaluate("document.querySelector('[aria-label^=\"Cancel Sample size\"]')?.click()")  # it may have ended
    until(page, "/(cancelled|finished)/.test(document.querySelector('.job-list li').textContent)")
    former = {"effects": [{"arm": "a", "success_percent": 60}], "dropout_percent": {"a": 12}, "failed_percent": 0,
              "missed": ["a: an old sentence"],
              "response_rates": {"MADRS": [{"arm": "a", "response": 50, "response_low": None, "hour": 24}]},
              "power": [{"n_per_arm": 10, "power": 80, "low": 70, "high": 90, "trials": 3}],
              "sample_size": [{"per_arm": {"a": 10}, "target": 80, "limit": 99, "type_2_error": 20}]}  # fmt: skip
    script = "async run => (await import('/js/trial-runs.js')).inPresentForm(run).result"
    result = page.evaluate(script, {"name": "stored by the former page", "result": former})
    assert result["errors"] == [{"arm": "a", "text": "an old sentence", "answer": None, "share": None}]
    assert (result["effects"], result["dropout_share"]) == ([{"arm": "a", "success_share": 0.6}], {"a": 0.12})
    assert result["response_rates"]["MADRS"] == [{"arm": "a", "response": 0.5, "response_low": None, "hour": 24}]
    assert (result["power"][0]["power"], result["power"][0]["patients_per_arm"]) == (0.8, 10)
    assert (result["sample_size"][0]["target"], result["sample_size"][0]["patients_per_arm"]) == (0.8, {"a": 10})
    before = {"effects": [], "errors": [{"arm": "a", "text": "t", "answer": "a true effect is missed", "share": 0.2}]}
    (error,) = page.evaluate(script, {"name": "former answers", "result": before})["errors"]
    assert error["answer"] == "not shown"


def size_row(arm, **changes):
    numbers = {"patients": 212, "low": 176, "high": 264, "patients_per_arm": {arm: 106, "placebo": 106}}
    words = {"text": f"{arm}: 106 patients in each arm"}
    return {"arm": arm, "target": 0.8, "type_2_error": 0.2, "limit": 1, **numbers, **words, **changes}


def stored_run(name, sizes):
    """A stored run with the power at some numbers of patients in each arm."""
    interval = {"arm": "spray", "low": 0.1, "high": 0.95}
    power = [{"patients_per_arm": n, "power": 0.9 * n / sizes[-1], **interval} for n in sizes]
    result = {
        "title": name, "primary": "MADRS at 28 d", "reference": "placebo", "differences": ["MADRS at 28 d: lower"],
        "effects": [{"arm": "spray", "difference": -4.9, "low": -8.4, "high": -1.7, "success_share": 0.92}],
        "arms": [{"name": one, "n": sizes[-1], "treatment": "t"} for one in ("spray", "placebo")], "replicates": 100,
        "criterion": "better with p < 0.05", "power": power, "sample_size": [size_row("spray")], "errors": [],
        "dropout_share": {"spray": 0.08}, "residual_sd": 10.1, "means": {}, "response_rates": {}, "survival": [],
        "assumptions": [], "cautions": [], "responses": {}, "relapse": [], "not_estimated": {}, "comparison": [],
        "enrolled_by_rating": None, "size": f"{sizes[-1]} patients in each arm", "request_size": 110,
        "reproduction": {"file": "", "command": "c", "python": "p"},
    }  # fmt: skip
    request = {"shipped": "", "arms": {"spray": "t"}, "days": [28], "seed": 1, "alpha": 0.05, "margin": None,
               "population": "trd", "dropout": "2 %", "patients_per_arm": 110, "control": "none"}  # fmt: skip
    return {"name": name, "stored": 1, "request": request, "result": result}


def test_points_of_power_lie_on_their_lines_and_runs_that_are_not_drawn_are_named(page, address):
    open_workbench(page, address)
    runs = [stored_run(f"run {i}", [8, 20, 48 + 10 * i]) for i in range(8)]
    page.evaluate("runs => localStorage.setItem('ketamech.trials', JSON.stringify(runs))", runs)
    page.reload()
    page.click("#tab-trial")
    figure = page.locator("#panel .runs figure")
    figure.wait_for()
    lines = figure.locator("svg[role=img] path.curve").evaluate_all("all => all.map((one) => one.getAttribute('d'))")
    whiskers = figure.locator("svg line[class^=stroke-]").evaluate_all(
        "all => all.map((one) => one.getAttribute('x1'))"
    )
    whiskers = [float(x) for x in whiskers]
    drawn = [float(place.split()[0]) for line in lines for place in re.split("[ML]", line)[1:]]
    assert len(drawn) == 18, "six curves of three sizes"
    assert whiskers == pytest.approx(drawn, abs=0.01), "every point at its own number of patients"
    note = figure.locator(".note-below").inner_text()
    assert "“run 0, spray”, “run 1, spray”" in note
    assert "run 2" not in note
    assert "80 %" in figure.locator("svg text").all_text_contents(), "the target power"
    page.get_by_role("button", name="Show run 7").click()
    text = page.locator("#panel .findings").inner_text()
    assert text.index("106 patients in each arm") < text.index("with 118 patients in each arm; figures and tables")
    assert "The 110 patients per arm of the form count only as the planned size" in text
    power = page.locator("#panel figure").first
    assert "n 106" in power.locator("svg text").all_text_contents(), "the number that was found"
    power.locator("summary").click()
    heads = power.locator("thead th").all_inner_texts()
    assert heads == ["patients per arm", "value", "interval"], "one arm is not named in every row"
    region = power.locator("[role=region]").first
    assert region.evaluate("one => one.scrollWidth <= one.clientWidth"), "the interval is not cut off"


def test_a_search_without_a_number_gives_no_advice_on_the_endpoint(page, address):
    open_workbench(page, address)
    run = stored_run("weak", [8, 20, 96])
    run["result"]["sample_size"] = [size_row("spray", patients=None, low=613, patients_per_arm={}, text="spray: none")]
    run["result"]["search_ends"] = ["spray: the search ended with trials of 192 patients in all"]
    run["result"]["means"] = {"MADRS": [
        {"arm": arm, "visit": visit, "hour": hour, "mean": 20, "change": change, "low": change, "high": change}
        for arm, fall in (("spray", 9), ("placebo", 1))
        for visit, hour, change in (("1 d", 24, -fall), ("28 d", 672, -2))
    ]}  # fmt: skip
    page.evaluate("runs => localStorage.setItem('ketamech.trials', JSON.stringify(runs))", [run])
    page.reload()
    page.click("#tab-trial")
    page.get_by_role("button", name="Show weak").click()
    text = page.locator("#panel").inner_text()
    assert "the search ended with trials of 192 patients in all" in text
    assert "as primary endpoint" not in text.split("Reproduce this trial")[0].split("weak")[-1]
    assert "Fewer replicates" not in text


def test_the_drawing_of_the_chain_opens_a_stage_with_its_papers(page, address):
    open_workbench(page, address)
    page.click("#tab-equations")
    page.wait_for_selector("#panel .stage-box")
    page.locator("[data-stage=spines]").press("Enter")
    until(page, "document.querySelector('#panel .equation')?.textContent.includes('nascent')")
    assert page.locator("[data-stage=spines]").get_attribute("aria-pressed") == "true"
    assert page.locator("#panel path.reads").count() > 1
    page.get_by_role("region", name="Papers").get_by_role("button").first.click()
    page.wait_for_selector("dialog[open] .evidence-list li")
    page.keyboard.press("Escape")
    assert findings(page) == []


def test_evidence_is_read_in_pages_with_filters_and_a_figure(page, address):
    open_workbench(page, address)
    page.click("#tab-evidence")
    panel = page.locator("#panel")
    page.wait_for_selector("#panel tbody tr")
    first = panel.locator("tbody tr").first.inner_text()
    panel.get_by_role("button", name="Next page").click()
    until(page, "t => document.querySelector('#panel tbody tr').innerText !== t", arg=first)
    assert "Page 2 of" in panel.locator(".pages").inner_text()
    panel.get_by_label("Species").select_option("rat")
    until(page, "document.querySelector('#panel .pages').textContent.includes('Page 1 of')")
    assert all("rat" in text for text in panel.locator("tbody tr td:nth-child(4)").all_inner_texts())
    panel.locator("summary", has_text="Figure").click()
    page.wait_for_selector("#panel figure .published-point")
    panel.locator("figure .published-point").first.press("Enter")
    page.wait_for_selector("dialog[open] .evidence-list li")
    page.keyboard.press("Escape")
    assert findings(page) == []


def test_contributions_follow_the_selected_time(page, address):
    open_workbench(page, address)
    page.click("#tab-attribution")
    page.get_by_role("button", name="Attribute").click()
    page.wait_for_selector("#panel .contributions tbody tr")
    before = page.locator("#panel .contributions").inner_text()
    page.focus("#time-slider")
    page.keyboard.press("End")
    until(page, "t => document.querySelector('#panel .contributions').innerText !== t", arg=before)
    assert "after the start" in page.locator("#panel .contributions caption").inner_text()


def test_the_exercises_show_their_answers_and_open_in_the_workbench(page, address):
    page.goto(f"{address}/exercises")
    page.wait_for_selector("#exercises details")
    page.wait_for_selector("#order")
    assert page.locator("#exercises > li").count() == len(load_exercises()) + 1
    events = [row.text for row in load_lesson() if row.part == "order"]
    shown = page.locator("#order ol li").all_inner_texts()
    assert shown != events, "the list does not give the order away"
    letters = page.locator("#order .answer").text_content().split()
    assert [shown["ABCDEFG".index(letter)] for letter in letters] == events
    assert not page.locator("#exercises .answer").first.is_visible()
    page.get_by_role("button", name="Show all answers").click()
    assert "ng/mL" in page.locator("#exercises .answer").first.inner_text()
    assert fits_the_width(page)
    assert findings(page) == []
    page.get_by_label("Your answer to exercise 1", exact=True).fill("7 percent")
    page.get_by_role("link", name="Simulate it in the workbench").last.click()
    page.wait_for_selector("#panel path.curve")
    assert page.locator(".case").count() == 2
    assert page.locator(".selected-time").inner_text() == "7 days after the start", "the time of the question"
    question = page.locator("#exercise-question")
    until(
        page,
        "document.querySelector('#exercise-question').textContent.includes('Exercise 9, Which way carries the week?')",
    )
    assert question.get_by_role("link", name="Back to the exercise").get_attribute("href") == "exercises.html#week"
    legend = page.locator("#panel figure[data-figure=depression-madrs] .legend").inner_text()
    assert "A habenula off" in legend
    assert "B habenula on" in legend
    page.goto(f"{address}/exercises")
    assert page.get_by_label("Your answer to exercise 1", exact=True).input_value() == "7 percent", (
        "what was typed is still there"
    )
    assert page.console_errors == []


def test_a_figure_gives_a_link_to_itself_and_html_without_a_server(page, address):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    open_workbench(page, address)
    figure = page.locator("#panel figure").last
    title = figure.locator("h3").inner_text()
    figure.get_by_role("button", name="Copy a link").click()
    until(page, "navigator.clipboard.readText().then((text) => text.includes('&figure='))")
    link = page.evaluate("navigator.clipboard.readText()")
    figure.get_by_role("button", name="Copy HTML").click()
    until(page, "navigator.clipboard.readText().then((text) => text.startsWith('<figure>'))")
    content = page.evaluate("navigator.clipboard.readText()")
    assert f"<figcaption>{title}".replace("&", "&amp;") in content
    assert "table below" not in content, "the table stays on the page"
    assert "hours after the start" in content.split("alt=")[1] or "minutes after the start" in content.split("alt=")[1]
    back = f'<a href="{link.replace("&", "&amp;")}">'
    assert back in content, "a link back"
    others = content.replace("http%3A%2F%2Fwww.w3.org", "").replace(back, "")
    assert "http" not in others, "nothing is loaded from anywhere"
    page.goto("about:blank")
    page.set_content(content)
    until(page, "document.querySelector('img').naturalWidth > 100")
    page.goto(link)
    name = link.rpartition("=")[2]
    until(
        page, f"document.querySelector('[data-figure={name}]:not(.empty)')?.getBoundingClientRect().top < innerHeight"
    )


SLOW_FULL_SCREEN = """milliseconds => {
  const { requestFullscreen } = Element.prototype;
  Element.prototype.requestFullscreen = async function () {
    await new Promise((done) => setTimeout(done, milliseconds));
    return requestFullscreen.call(this);
  };
}"""


@pytest.mark.parametrize("delay", [0, 500], ids="{} ms".format)  # until the browser has filled the screen
def test_keys_lead_through_the_chapters_in_full_screen_only(page, address, delay):
    open_story(page, address)
    page.evaluate(SLOW_FULL_SCREEN, delay)
    top = "id => Math.abs(document.getElementById(id).getBoundingClientRect().top) < 160"
    assert page.get_by_role("link", name="Exercises").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.evaluate("scrollY") == 0
    page.click("#full-screen")
    page.keyboard.press("ArrowRight")
    until(page, "Boolean(document.fullscreenElement)")
    settle(page, 1000)  # the place is kept while figures take their new size
    until(page, top, arg="mood")
    page.keyboard.press("PageDown")
    until(page, top, arg="felt")
    page.get_by_role("button", name="Previous").click()
    until(page, top, arg="mood")
    page.get_by_role("button", name="Leave full screen").click()
    until(page, "!document.body.classList.contains('presentation')")
    assert page.console_errors == []


@pytest.mark.parametrize("width", ["phone"], indirect=True)
def test_on_a_phone_the_cases_are_folded_so_that_a_tab_is_reached_at_once(page, address):
    page.goto(f"{address}/workbench")
    page.wait_for_selector("#panel path.curve")
    assert not page.locator(".case").first.is_visible()
    assert page.locator("#cases-summary span").all_inner_texts()[0] == "A Ketamine infusion"
    page.click("#tab-trial")
    trial = page.get_by_role("combobox", name="Trial").bounding_box()
    assert trial["y"] + trial["height"] < page.locator("#time-bar").bounding_box()["y"], "in the first screen"
    assert findings(page) == []
    page.get_by_role("button", name="Edit the cases").click()
    page.get_by_label("Title of case A").fill("Another name")
    assert findings(page) == []
    page.get_by_role("button", name="Close the cases").click()
    assert page.locator("#cases-summary span").first.inner_text() == "A Another name"
    assert fits_the_width(page)
    page.click("#tab-curves")
    page.get_by_role("button", name="Edit the cases").click()
    page.locator("[data-key='treatments[0]']").first.fill("ketamin")
    page.wait_for_selector(".case [aria-invalid=true]")
    until(page, f"{LINK_CONTENT}.includes('ketamin\"')")
    page.reload()
    page.wait_for_selector(".case [aria-invalid=true]")
    assert page.locator(".case .field-error").first.is_visible(), "an error opens the cases"


def test_the_reference_arm_is_chosen_and_jobs_of_one_title_have_their_settings(page, address):
    open_workbench(page, address)
    page.click("#tab-trial")
    reference = page.get_by_role("combobox", name="Reference arm")
    assert reference.locator("option").all_inner_texts()[0] == "by the design"
    page.get_by_role("combobox", name="Trial").select_option("Arms written here")
    reference.select_option("Ketamine infusion")
    page.get_by_label("Name of arm 1").fill("Infusion")
    assert reference.input_value() == "Infusion", "a new name of the arm"
    run_small_trial(page)
    assert "than on Infusion" in page.locator("#panel .findings").inner_text()
    survival = page.locator("#panel figure", has_text="Responders without relapse")
    assert survival.count() == 0, "two visits have no relapse"
    page.get_by_role("spinbutton", name="Random seed").fill("2")
    page.get_by_label("Visit days").fill("1, 7, 14")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .findings")
    survival.wait_for()
    assert "% of responders" in survival.inner_text()
    assert "100" in survival.locator("svg text").all_text_contents()
    page.locator(".jobs").evaluate("one => { one.open = true }")
    until(page, "document.querySelectorAll('.job-list li').length > 1")
    names = [text for text in page.locator(".job-list .job-name").all_inner_texts() if "Infusion or" in text]
    assert "days 1, 7, 14; seed 2" in names[0]
    assert "days 1, 7; seed 1" in names[1]
    assert all(", started " in name for name in names)
    reference.select_option("by the design")
    page.get_by_role("button", name="Store this run").click()
    page.get_by_role("button", name="Use the settings of Run").first.click()
    assert reference.input_value() == "Infusion"
    page.get_by_label("Non-inferiority margin").fill("3")
    page.get_by_label("Alpha", exact=True).fill("0.1")
    page.get_by_role("combobox", name="Trial").select_option("murrough2013")
    assert not reference.is_visible(), "a shipped trial has its own"
    assert page.get_by_label("Non-inferiority margin").input_value() == "", "the margin of another trial"
    assert page.get_by_label("Alpha", exact=True).input_value() == "0.05"
    page.get_by_label("Visit days").evaluate("one => { one.value = '2' }")
    page.get_by_role("button", name="Show Trial:").last.click()  # the first run again, days 1 and 7
    until(page, "document.querySelector('#announcements').textContent.includes('settings of this job')")
    assert page.get_by_label("Visit days").input_value() == "1, 7"
    assert page.get_by_role("combobox", name="Trial").locator("option:checked").inner_text() == "Arms written here"
    until(page, "Math.abs(document.querySelector('#panel .findings').getBoundingClientRect().top) < innerHeight / 2")
    other = page.context.browser.new_context().new_page()
    other.goto(f"{address}/workbench")
    until(other, "document.querySelector('.jobs summary')?.textContent.startsWith('Jobs: 0 open, 0 ended')")
    other.context.close()
