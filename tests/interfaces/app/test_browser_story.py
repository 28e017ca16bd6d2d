"""The story in a browser: spread and marks of the figures, address and history, clock, sizes, saved pictures."""

import re
from datetime import UTC, datetime
from itertools import combinations, pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from browser_helpers import (
    LINK_TIME,
    SIZES,
    at_both_widths,
    at_sizes,
    new_page,
    open_story,
    open_workbench,
    press_until,
    set_slider,
    settle,
    until,
    upload,
    wait_for_computed,
)

NOW = "document.querySelector('#mood-now').textContent"
SCENARIO = "document.querySelector('.current-scenario strong').textContent"
LABELS = Path(__file__).with_name("labels.js").read_text(encoding="utf-8")


def choose(page, route, chapter="dose"):
    """Press a choice until it is made: the choices of a chapter are drawn again after a change."""
    pressed = """choice => {
      const isMade = () => document.querySelector(choice)?.checked;
      return isMade() || (document.querySelector(choice)?.click(), isMade());
    }"""
    until(page, pressed, f"#{chapter} input[value={route}]")


def scenario(page):
    return page.evaluate(SCENARIO)


def test_an_infusion_after_the_spray_is_of_the_drug_chosen_before(story):
    choose(story, "nasal")
    assert scenario(story) == "esketamine 84 mg nasal spray"
    choose(story, "infusion")
    assert scenario(story) == "racemic ketamine 0.5 mg/kg IV over 40 min"
    choose(story, "arketamine")
    choose(story, "nasal")
    choose(story, "muscle")
    assert scenario(story).startswith("arketamine 0.5 mg/kg")


def test_undo_and_back_take_changes_back_and_stay_on_the_page(story):
    assert story.locator("#undo").is_hidden()
    choose(story, "nasal")
    until(story, "location.hash.includes('route=nasal')")
    story.locator("#signalling [data-toggle=nbqx]").check()
    until(story, "location.hash.includes('block=nbqx')")
    story.go_back()
    until(story, "!document.querySelector('#signalling [data-toggle=nbqx]').checked")
    assert scenario(story) == "esketamine 84 mg nasal spray"
    story.click("#undo")
    until(story, f"{SCENARIO}.startsWith('racemic')")
    assert story.locator("#undo").is_hidden()
    assert story.evaluate("document.querySelectorAll('section.chapter').length") == 13
    story.go_forward()
    until(story, f"{SCENARIO} === 'esketamine 84 mg nasal spray'")


def test_a_drag_of_a_slider_is_one_step(story):
    drag = """e => { for (const dose of [0.65, 1.05, 1.8]) {
        e.value = dose; e.dispatchEvent(new Event("input", { bubbles: true }));
    } }"""
    story.locator("[data-dose]").first.evaluate(drag)
    assert "1.8 mg/kg" in scenario(story)
    story.click("#undo")
    until(story, f"{SCENARIO}.includes('0.5 mg/kg')")
    assert story.locator("#undo").is_hidden()


def test_the_address_holds_the_whole_state_of_the_story(page, address, browser):
    open_story(page, address)
    choose(page, "nasal")
    page.locator("#dose input[value=twice]").first.check(force=True)
    page.locator("#networks [data-toggle=habenula]").check()
    page.locator("[data-people]").first.uncheck()
    page.locator("#even-clock").click()
    page.evaluate("location.hash = '#networks'")
    page.focus("#time-slider")
    page.keyboard.press("End")
    until(page, "location.hash.includes('hours=731') && location.hash.startsWith('#networks&')")
    other = new_page(browser, 1366, 850)
    other.goto(page.url)
    other.wait_for_selector("#networks path.curve")
    assert other.evaluate(SCENARIO) == scenario(page) == "esketamine 84 mg nasal spray, twice weekly for 4 weeks"
    assert other.locator("#networks [data-toggle=habenula]").is_checked()
    assert not other.locator("[data-people]").first.is_checked()
    assert other.locator("#even-clock").get_attribute("aria-pressed") == "true"
    assert other.locator(".selected-time").inner_text().startswith("30")
    assert abs(other.locator("#networks").evaluate("e => e.getBoundingClientRect().top")) < 300
    other.context.close()


BROKEN = ["#&route=<b>&dose=nan&off=x%20y&block=__proto__&hours=-1", "#mood&dose=1e9&schedule=toString", "#s=%%%"]


@pytest.mark.parametrize("hash_", BROKEN)
def test_a_broken_address_gives_the_defaults(page, address, hash_):
    open_story(page, f"{address}/{hash_}")
    assert scenario(page) == "racemic ketamine 0.5 mg/kg IV over 40 min"
    assert page.console_errors == []


def test_the_clock_is_within_ten_tabs_of_both_pages(page, address):
    open_story(page, address)
    page.evaluate("document.body.focus()")
    press_until(page, "Tab", "document.activeElement.id === 'time-slider'", most=10)
    open_workbench(page, address)
    press_until(page, "Tab", "document.activeElement.textContent === 'Skip to the clock'", most=10)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "time-slider"


def test_the_even_clock_spaces_the_days_evenly(story):
    place = "[...document.querySelectorAll('.time-slider .ticks span')].map(e => parseFloat(e.style.left))"
    story.click("#even-clock")
    places = story.evaluate(place)
    steps = [b - a for a, b in pairwise(places)]
    assert max(steps) - min(steps) < 0.5
    story.click("#even-clock")
    assert story.evaluate(f"{place}.length") > len(places)


def test_the_spread_of_people_is_shown_by_default(story):
    until(story, f"{NOW}.includes('nine in ten are between')")
    low, high = map(int, re.search(r"between (\d+) and (\d+)", story.locator("#mood-now").inner_text()).groups())
    assert high - low > 8
    story.wait_for_selector(".mood-figure path.person-curve", state="attached")
    assert "30 of 200 simulated" in story.locator("#mood-figure .legend").inner_text()
    story.locator("#mood").scroll_into_view_if_needed()
    story.wait_for_selector("figure[data-track=mood] path.band")
    story.locator("[data-people]").first.uncheck()
    story.wait_for_selector("figure[data-track=mood] path.band", state="detached")
    story.locator("[data-people]").first.check()


def test_a_dose_beyond_every_trial_is_greyed_and_says_so(story):
    set_slider(story, story.locator("[data-dose]").first, 1.0)
    until(story, f"{NOW}.includes('No study of mood in our tables gave a dose this large')")
    story.wait_for_selector(".mood-figure.is-untested")
    lead = story.locator("#lead").text_content()
    assert lead.startswith("No trial of mood in our tables gave this dose: do not trust the effect of the model")
    colour = "getComputedStyle(document.querySelector('.mood-figure .curve.main')).stroke"
    assert story.evaluate(colour) == story.evaluate("getComputedStyle(document.querySelector('.control')).stroke")


def test_curves_without_a_published_value_are_marked(story, client):
    tracks = client.get("/api/metadata").json()["tracks"]
    kinds = {kind for track in tracks for kind in track["measured"].values()}
    assert {"people", "animals", "nothing"} <= kinds <= {"people", "animals", "cells", "nothing"}
    by_key = {track["key"]: track["measured"] for track in tracks}
    assert set(by_key["mood"].values()) == {"people"}
    assert set(by_key["spines"].values()) <= {"animals", "people"}
    shown = story.evaluate("[...document.querySelectorAll('figure[data-track]')].map(e => e.dataset.track)")
    marked = [key for key in shown if "nothing" in by_key[key].values()]
    assert marked, "the table of the evidence has gaps"
    for key in marked:
        figure = story.locator(f"figure[data-track={key}]")
        figure.scroll_into_view_if_needed()
        story.wait_for_selector(f"figure[data-track={key}] path.curve.unmeasured", state="attached")
        assert "(no published value)" in figure.locator(".legend").inner_text()
        assert re.search("No published value can be compared", figure.inner_text())


def test_a_rat_has_no_rating_of_people(story):
    story.locator("#glutamate [data-rat]").check()
    for key in ("mood", "suicidality", "dissociation"):
        until(
            story,
            f"document.querySelector('figure[data-track={key}] .caption').textContent.includes('people only')",
        )
        assert story.locator(f"figure[data-track={key}] path.curve").count() == 0
    assert "people only" in story.locator("#mood-now").inner_text()
    until(story, "document.querySelector('#leading-way').textContent === ''")
    assert not story.locator("#fall-bar").is_visible()
    until(story, "!document.querySelector('#mood-figure :is(path.band, path.curve)')")  # drawn in a frame
    story.locator("#mood").scroll_into_view_if_needed()  # shows the large figure beside the chapter
    until(story, "document.querySelector('.stage-mood').checkVisibility()")
    until(story, "!document.querySelector('.mood-figure :is(path.band, path.curve)')")


def test_crisis_lines_of_countries_stand_beside_the_figure_of_suicidal_thoughts(story):
    box = story.locator("#mood figure[data-track=suicidality] + .crisis")
    others = box.locator("summary")
    others.click()
    assert "emergency number" in box.inner_text()
    for line in ("United States: 988", "United Kingdom: 116 123", "Australia: 13 11 14", "Germany: 0800 111 0 111"):
        assert line in box.inner_text()
    assert box.get_by_role("link", name="988", exact=True).first.get_attribute("href") == "tel:988"
    source = box.locator("li", has_text="MIELI").get_by_role("link", name="source")
    assert source.get_attribute("href") == "https://mieli.fi/helpline"
    assert "last compared on 20" in box.inner_text()
    others.click()


DRAWN = """[...document.querySelectorAll('figure[data-track]')].filter((figure) => {
  const { top, bottom } = figure.getBoundingClientRect();
  return figure.checkVisibility() && bottom > 0 && top < innerHeight;
}).every((figure) => figure.querySelector('path.curve') && !figure.innerText.includes('Computing'))"""


@at_sizes("desktop", "laptop", "tablet", "200 %", "phone", "400 %")
def test_no_label_lies_over_another_and_nothing_is_clipped(story):
    for chapter in ("start", "mood", "felt", "dose", "receptor", "glutamate", "synapses", "networks", "comparison"):
        story.evaluate("id => document.getElementById(id).scrollIntoView()", chapter)
        settle(story)  # the chapter sets level and clock
        until(story, DRAWN)
        found = story.evaluate(LABELS)
        assert found == {"overlaps": [], "clipped": [], "scrolls": False}, chapter
    story.evaluate("document.getElementById('even-clock').click()")
    settle(story)
    assert story.evaluate(LABELS) == {"overlaps": [], "clipped": [], "scrolls": False}
    story.evaluate("document.getElementById('even-clock').click()")


@at_sizes("tablet", "desktop", "phone", "laptop", "small laptop")
def test_figure_dose_and_clock_fit_one_screen(story, story_size):
    until(story, f"{NOW}.includes('nine in ten')")
    dock = story.locator("#time-bar").bounding_box()
    assert dock["y"] + dock["height"] <= story_size[1] + 1
    for part in ("#mood-figure .figure > svg", ".hero [data-dose]"):
        box = story.locator(part).bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= dock["y"], part


def test_a_saved_picture_holds_legend_treatment_source_and_date(story):
    figure = story.locator("#dose figure").first
    figure.scroll_into_view_if_needed()
    settle(story)
    time = story.locator(".selected-time").inner_text()
    with story.expect_download() as saved:
        figure.get_by_role("button", name="SVG").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    for part in (
        "ketamine, arterial", "no drug, same visits", f"Values and vertical line: {time}.",
        "Treatment: racemic ketamine 0.5 mg/kg IV over 40 min",
        "Source: KetaMech", datetime.now(UTC).date().isoformat(), "not treatment or dosing advice",
    ):  # fmt: skip
        assert part in re.sub(r"</text>\s*<text[^>]*>", " ", text) or part == "no drug, same visits", part
    with story.expect_download() as saved:
        figure.get_by_role("button", name="PNG").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_drawing_can_be_saved_with_its_time_and_what_its_signs_mean(page, address):
    open_story(page, address)
    height = page.locator(".stage").bounding_box()["height"]
    page.locator(".scene-values summary").click()
    settle(page)
    assert page.get_by_role("button", name="Save the drawing as SVG").is_visible(), "beside the drawing"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the drawing as SVG").click()
    text = re.sub(r"</text>\s*<text[^>]*>", " ", Path(saved.value.path()).read_text(encoding="utf-8"))
    assert page.locator(".scene-values table").is_visible(), "saving closes nothing"
    heights = [float(one) for one in re.findall(r' height="([\d.]+)"', text)]
    assert any(abs(one - height) < 45 for one in heights), "not the height that the open table leaves"
    sentence = page.locator("#scene-sentence").inner_text()
    legend = page.locator(".scene-legend li:visible").first.inner_text().split()
    for part in ("40 minutes after the start", sentence, " ".join(legend), "Treatment: racemic", "not treatment"):
        assert part in text, part
    colour = "getComputedStyle(document.querySelector('.drawing[data-state=shown] .cell .body')).fill"
    assert page.evaluate(colour) in text, "the colours of the stylesheet"
    assert saved.value.suggested_filename == "ketamech-ketamine-at-a-synapse.svg"
    page.click("button[data-level=spine]")
    settle(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the drawing as SVG").click()
    text = re.sub(r"</text>\s*<text[^>]*>", " ", Path(saved.value.path()).read_text(encoding="utf-8"))
    for part in (
        "Spines on a branch of a nerve cell",
        "counted in mice",
        "empty place",
        "non-scaling-stroke",
        ">Spines 86 of 100<",
    ):
        assert part in text, part
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the drawing as PNG").first.click()
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")


NAMES_JS = "() => [...document.querySelectorAll('.drawing[data-state=shown] .label text')].map(n => n.textContent)"


SAVED_TEXT_JS = """() => new Promise((done) => {
  const own = XMLSerializer.prototype.serializeToString;
  XMLSerializer.prototype.serializeToString = function (node) {
    const text = own.call(this, node);
    done(text);
    return text;
  };
  document.querySelector('.nameless').click();
})"""


def test_the_drawing_can_be_saved_with_numbers_in_place_of_names(page, address):
    open_story(page, address)
    names = page.evaluate(NAMES_JS)
    with page.expect_download() as saved:
        text = re.sub(r"</text>\s*<text[^>]*>", " ", page.evaluate(SAVED_TEXT_JS))
    assert saved.value.suggested_filename == "ketamech-ketamine-at-a-synapse-to-label.png"
    assert "Write at each number one of these names: AMPA, BDNF, " in text
    drawn = text.split("Write at each number")[0]
    assert all(f">{number}<" in drawn for number in range(1, 10))
    assert ">Habenula<" not in drawn
    assert page.evaluate(NAMES_JS) == names, "the names are back"


def test_an_error_offers_the_nearest_word_to_press(page, address):
    open_workbench(page, address)
    field = page.locator("[data-key='treatments[0]']").first
    field.fill("racemc 0.5 mg/kg IV over 40 min")
    page.locator(".suggestion").click()
    assert field.input_value() == "racemic 0.5 mg/kg IV over 40 min"
    page.wait_for_selector(".case [aria-invalid=true]", state="detached")
    assert page.locator(".suggestion").count() == 0


def test_opening_a_file_deletes_no_case_and_a_removed_case_comes_back(page, address):
    open_workbench(page, address)
    content = b"treatments:\n  - placebo IV\nperson: {weight: 70 kg}\n"
    for count in (3, 4):
        upload(page, "x.yaml", content)
        until(page, f"document.querySelectorAll('.case').length === {count}")
    titles = "[...document.querySelectorAll('.case header textarea')].map(e => e.value)"
    before = page.evaluate(titles)
    upload(page, "x.yaml", content)
    until(page, "document.querySelector('#file-error').textContent.includes('remove a case first')")
    assert page.evaluate(titles) == before
    page.get_by_label("Remove case A").click()
    assert page.evaluate(titles) == before[1:]
    page.click("#undo-remove")
    assert page.evaluate(titles) == before


HIDDEN = "selector => [...document.querySelectorAll(selector)].filter(e => !e.checkVisibility()).length"
VISIBLE = "(s => [...document.querySelectorAll(s)].filter(e => e.checkVisibility()))"
INSIDE = """() => {
  const dock = document.querySelector('#time-bar').getBoundingClientRect().top;
  const top = document.querySelector('.site-header').getBoundingClientRect().bottom;
  const parts = [...document.querySelectorAll('.levels button, .stage, .scene-legend li, #fall-bar li')];
  const boxes = parts.filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect());
  return boxes.filter(b => b.top < top - 1 || b.bottom > dock + 1).length;
}"""


@at_sizes("tablet", "desktop", "phone")
def test_words_levels_and_chips_of_the_scene_are_in_view(story, story_size):
    """Nothing that says what happens is hidden, and header and clock cover no part of the scene."""
    for level in ("body", "brain", "synapse", "spine"):
        story.click(f"button[data-level={level}]")
        settle(story)
        assert story.evaluate(INSIDE) == 0, level
        assert story.evaluate(HIDDEN, ".scene-sentence, #mood-now, .scene-values summary") == 0
    if story_size != SIZES["tablet"]:
        assert story.evaluate(HIDDEN, "#lead") == 0


SET_TIME = "hours => import('/js/time-slider.js').then(({ selectedTime }) => selectedTime.set(hours))"
LABELS_OUT_OF_VIEW = """() => {
  const stage = document.querySelector('.stage').getBoundingClientRect();
  return [...document.querySelectorAll('.drawing[data-level=synapse] .label text, .inset .frame')].filter(e => {
    const { width, left, right, top, bottom } = e.getBoundingClientRect();
    const across = left < stage.left - 1 || right > stage.right + 1;
    return width && (across || top < stage.top - 3 || bottom > stage.bottom + 1);
  }).map(e => e.textContent || 'inset');
}"""


LABELS_OVER_SPINE = """() => {
  const spine = document.querySelector('.drawing[data-level=synapse] path.new-spine').getBoundingClientRect();
  return [...document.querySelectorAll('.drawing[data-level=synapse] .label:not(#new-spine) text')].filter(e => {
    const { width, left, right, top, bottom } = e.getBoundingClientRect();
    return width && spine.width && right > spine.left && left < spine.right && bottom > spine.top && top < spine.bottom;
  }).map(e => e.textContent);
}"""


@at_sizes("laptop", "tablet")
def test_no_label_lies_over_the_new_spine(story):
    story.click("button[data-level=synapse]")
    for hours in (24, 72, 168):
        story.evaluate(SET_TIME, hours)
        settle(story)
        assert story.evaluate(LABELS_OVER_SPINE) == []


@at_sizes("laptop")
def test_at_every_time_a_laptop_shows_the_whole_synapse_and_what_its_colours_mean(story):
    found = set()
    for hours in (1 / 60, 2 / 3, 4, 24, 72, 168, 720):
        story.evaluate(SET_TIME, hours)
        settle(story)
        names = story.evaluate(f"{VISIBLE}('.drawing[data-level=synapse] .label').map(e => e.textContent)")
        assert {"Habenula", "Inhibitory axon", "NMDA", "Sending cell", "Branch of thereceiving cell"} <= set(names)
        assert story.locator(".inset .frame").is_visible()
        assert story.evaluate(LABELS_OUT_OF_VIEW) == []
        found.add(story.evaluate("document.querySelector('.stage').clientHeight"))
    assert len(found) == 1, f"the height of the drawing depends on the caption: {found}"
    for level in ("body", "brain", "synapse", "spine"):
        story.click(f"button[data-level={level}]")
        box, dock = (story.locator(name).bounding_box() for name in (".scene-note", "#time-bar"))
        assert box["height"] > 10, level
        assert box["y"] + box["height"] <= dock["y"] + 1, level


@pytest.mark.parametrize("way", ["a link of the list", "an address"])
def test_a_link_to_a_chapter_ends_at_its_heading(page, address, way):
    """Figures above the chapter grow when they are drawn; the chapter stays at the top."""
    page.set_viewport_size({"width": 1366, "height": 768})
    open_story(page, f"{address}/#safety&read=expert" if way == "an address" else f"{address}/#&read=expert")
    if way != "an address":
        page.locator(".all-questions").click()
        page.locator("#chapter-list a[href='#safety']").click()
    until(page, "[...document.querySelectorAll('#safety path.curve')].length > 0")
    wait_for_computed(page)
    settle(page)
    assert abs(page.locator("#safety").bounding_box()["y"] - 67) < 40, "below the header"
    page.mouse.wheel(0, 300)
    until(page, "document.querySelector('#safety').getBoundingClientRect().top < 0")
    settle(page)
    assert page.locator("#safety").bounding_box()["y"] < 0, "the reader moves on"


@at_sizes("laptop")
def test_the_lit_row_of_spines_is_that_of_the_clock_and_its_signs_are_named(story):
    story.click("button[data-level=spine]")
    lit = story.locator(".spine-row[data-now=yes]")
    counts = {}
    for hours, name in ((2 / 3, "Now,40 min"), (72, "Now,3 days"), (672, "Now,28 days")):
        story.evaluate(SET_TIME, hours)
        until(story, "name => document.querySelector('[data-now=yes] .spine-time').textContent === name", name)
        counts[hours] = lit.locator(".spine-count").text_content()
        assert story.locator(".scene-legend [data-row=sites] b").text_content() == f"{counts[hours]} of 100"
        drawn = lit.locator(".new-spine").evaluate_all("all => all.filter(e => e.getAttribute('d')).length")
        assert (drawn > 0) == (hours > 1)
    assert int(counts[72]) > int(counts[2 / 3])
    empty = lit.locator(".missing").evaluate_all(
        "all => all.filter(e => e.getAttribute('visibility') !== 'hidden').length"
    )
    before = int(story.locator(".spine-row:not([data-now]) .spine-count").first.text_content())
    assert empty == pytest.approx(40 * (1 - before / 100), abs=0.7)
    row = story.locator(".spine-row:not([data-now])", has_text="3 days").bounding_box()
    most = story.locator(".spine-most").bounding_box()
    assert row["y"] < most["y"] < row["y"] + row["height"]
    assert story.locator(".scene-legend .key").all_inner_texts() == ["empty place", "new, thin", "new, mature"]


@at_sizes("phone")
def test_a_phone_has_a_chip_for_the_habenula(story):
    chips = story.locator(".scene-legend li")
    assert "Habenula" in chips.filter(visible=True).all_inner_texts()[0]
    for i in range(chips.count()):
        box = chips.nth(i).locator("b").bounding_box()
        assert box is None or box["x"] + box["width"] <= 390


@at_sizes("phone")
def test_a_phone_shows_every_part_of_the_dose_and_every_area(story):
    story.click("button[data-level=body]")
    settle(story)
    shown = f"{VISIBLE}('.scene-legend li').map(e => e.dataset.row)"
    assert {"bag", "blood", "tissue", "liver", "metabolite", "eliminated"} <= set(story.evaluate(shown))
    inside = f"""() => {{ const stage = document.querySelector('.stage').getBoundingClientRect();
      return {VISIBLE}('.drawing[data-level=body] .in-body').filter(e => e.getAttribute('opacity') !== '0')
        .every(e => e.getBoundingClientRect().bottom <= stage.bottom + 2) }}"""
    assert story.evaluate(inside), "hexagons lie outside the picture"
    story.click("button[data-level=brain]")
    settle(story)
    names = "[...document.querySelectorAll('.drawing[data-level=brain] .label text')]"
    assert story.evaluate(f"{names}.filter(e => e.getBoundingClientRect().width).length") == 11
    assert story.evaluate(f"{VISIBLE}('.area-value').filter(e => Number(e.textContent) > 50).length") == 11


def test_a_dot_says_what_it_is_and_by_what_steps_it_was_drawn(story):
    dot = story.locator("#mood-figure .published-point[aria-label*='difference from the control']").first
    dot.wait_for(state="attached")
    assert dot.locator("[clip-path]").count() == 1, "half filled: a part of its place is the model's"
    story.wait_for_load_state("networkidle")  # the figure is drawn again while the story loads
    dot.dispatch_event("pointerenter")  # points may lie over each other
    note = story.locator("#mood-figure .point-note")
    note.wait_for(state="visible")
    assert "drawn from the model's line without the drug" in note.inner_text()
    bipolar = story.locator("#mood-figure .published-point[aria-label*='bipolar']")
    assert bipolar.count() > 0
    names = story.locator("#mood-figure .legend").inner_text()
    assert "part published, part model" in names
    assert "square: used to fit" in names
    assert "part published, part model, used to fit" in note.inner_text()
    drawing = story.locator("#mood-figure .figure > svg").get_attribute("aria-label")
    assert re.search(r"\d published points: \d+ partly from the model, \d+ used to fit", drawing)
    figure = story.locator("figure[data-track=mood]")
    figure.locator("summary").click()
    assert "part published, part model, used to fit" in figure.locator("table").last.inner_text()
    figure.locator("summary").click()
    dot.dispatch_event("pointerleave")


@at_both_widths
def test_the_first_screen_says_that_steps_are_from_animals_or_assumed(page, address):
    open_story(page, address)
    caveat = page.locator("#caveat")
    assert re.match(r"(Much is f|F)rom animals, 3 in 4 values (are )?assumed\.", caveat.inner_text())
    box = caveat.bounding_box()
    assert box["y"] + box["height"] < page.locator("#time-bar").bounding_box()["y"]
    caveat.get_by_role("link").click()
    until(page, "Math.abs(document.querySelector('#unknown').getBoundingClientRect().top) < 450")  # below a scene
    assert "three in four of its values are assumed" in page.locator("#unknown").inner_text()


def test_response_rates_stand_in_one_table(story):
    story.wait_for_selector(".published-response table", state="attached")
    rows = story.locator(".published-response tbody tr")
    assert rows.count() == 4
    numbers = [list(map(int, rows.nth(i).locator("td").all_inner_texts())) for i in (0, 2, 3)]
    assert numbers[0] == [64, 28], "the two published values"
    assert rows.nth(1).locator("td").all_inner_texts() == ["52", "–"]
    assert all(drug > other for drug, other in numbers)
    assert numbers[0][0] > numbers[1][0] > numbers[2][0], "the text states that the simulated numbers are lower"


def test_the_comparison_ranks_nothing_and_shows_the_published_effect_of_ect(story):
    story.locator("#comparison").scroll_into_view_if_needed()
    story.wait_for_selector(".published-comparison table")
    title = story.locator("#comparison-figures h3").first.inner_text()
    assert "which treatment is best, the curves do not show" in title
    assert not re.search("psychotherapy|ECT|TMS", title)
    row = story.locator(".published-comparison tr", has_text=re.compile(r"^\s*ECT")).inner_text()
    assert "from 35.2 to 15 points" in row
    stated = re.search(r"to ([\d.]+) points, and to ([\d.]+) with the same visits alone: less effect than trials", row)
    after, without = map(float, stated.groups())
    assert 15 < after < without - 1, "the model gives ECT less effect"
    assert "−3.3 points" in story.locator(".published-comparison tr", has_text="Hamilton scale against").inner_text()
    assert story.locator(".published-comparison tbody tr").count() == 4


def test_full_screen_names_its_keys(page, address):
    open_story(page, address)
    for key in ("→", "←", "Esc"):
        assert key in page.locator("#full-screen-keys").text_content()
        assert key in page.locator(".presentation-keys").text_content()
    assert "Page Down" in page.locator("#full-screen-keys").text_content()
    page.click("#full-screen")
    assert page.locator(".presentation-keys").is_visible()
    page.keyboard.press("ArrowRight")
    until(page, "Math.abs(document.querySelector('#mood').getBoundingClientRect().top) < 200")
    bar, story = page.locator(".presentation-bar").bounding_box(), page.locator("#mood h2").bounding_box()
    assert bar["y"] + bar["height"] <= story["y"], "the bar lies on no text"
    for chapter in ("felt", "dose", "receptor"):
        page.keyboard.press("ArrowRight")
        until(page, "id => Math.abs(document.getElementById(id).getBoundingClientRect().top) < 200", chapter)
    page.keyboard.press("Escape")
    until(page, "!document.body.classList.contains('presentation')")
    settle(page)
    assert abs(page.locator("#receptor").bounding_box()["y"]) < 200, "the reader stays in the same chapter"


def test_after_a_click_into_the_clock_the_keys_of_full_screen_lead_on(page, address):
    """The arrow keys move the clock only where it was reached by keyboard."""
    open_story(page, address)
    page.click("#full-screen")
    place = page.locator(".presentation-place")
    assert place.inner_text() == "Start, 13 chapters"
    for key, number in (("ArrowRight", 1), ("PageDown", 2), ("PageUp", 1), ("ArrowRight", 2)):
        page.locator("#time-slider").click(position={"x": 300, "y": 5})
        settle(page)
        hours = page.locator("#time-slider").input_value()
        page.keyboard.press(key)
        until(page, "t => document.querySelector('.presentation-place').textContent === t", f"{number} of 13")
        assert abs(int(page.locator("#time-slider").input_value()) - int(hours)) != 1, "the key moves no slider"
    page.locator("#time-slider").focus()
    before = page.locator("#time-slider").input_value()
    page.keyboard.press("ArrowRight")
    assert int(page.locator("#time-slider").input_value()) == int(before) + 1
    assert place.inner_text() == "2 of 13"
    page.keyboard.press("PageDown")
    until(page, "document.querySelector('.presentation-place').textContent === '3 of 13'")
    page.locator("#time-slider").click(position={"x": 300, "y": 5})
    settle(page)
    before = page.evaluate("scrollY")
    page.keyboard.press("Space")
    until(page, "before => scrollY > before + 200 && scrollY < before + innerHeight", before)


def test_an_address_opened_in_the_same_tab_is_followed_and_can_be_undone(page, address):
    open_story(page, address)
    page.evaluate("location.hash = '#receptor&hours=24&dose=0.3'")
    until(page, "document.querySelector('.selected-time').textContent === '24 hours after the start'")
    assert "0.3 mg/kg" in scenario(page)
    until(page, "Math.abs(document.querySelector('#receptor').getBoundingClientRect().top - 67) < 60")
    settle(page, 500)
    for part in ("#receptor", "hours=24", "dose=0.3"):
        assert part in page.url
    page.click("#undo")
    until(page, "document.querySelector('.current-scenario strong').textContent.includes('0.5 mg/kg')")


def test_the_link_of_a_figure_leads_to_its_chapter_and_a_second_button_to_the_workbench(page, address):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    open_story(page, f"{address}/#&dose=0.3")
    figure = page.locator("#dose figure[data-track=plasma]")
    figure.scroll_into_view_if_needed()
    settle(page, 500)
    figure.get_by_role("button", name="Copy a link").click()
    until(page, "navigator.clipboard.readText().then((text) => text.includes('#dose'))")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{address}/#dose&dose=0.3&hours=")
    assert len(link) < len(address) + 50
    hours = float(link.rpartition("=")[2])
    figure.get_by_role("button", name="in the workbench").click()
    page.wait_for_selector("#panel path.curve")
    assert page.evaluate(LINK_TIME) == hours
    assert page.locator("[data-key='treatments[0]']").first.input_value().startswith("racemic 0.3 mg/kg")
    assert page.console_errors == []


@pytest.mark.parametrize(("chapter", "number", "level"), [("receptor", 4, "synapse"), ("safety", 12, "body")])
def test_full_screen_stays_in_the_chapter_of_an_address(page, address, chapter, number, level):
    """The text is larger there, also that of the chapters above, and nothing but the heading says where one is."""
    open_story(page, f"{address}/#{chapter}&hours=0.667")
    top = "id => document.getElementById(id).getBoundingClientRect().top"
    until(page, f"id => Math.abs(({top})(id) - 67) < 40", chapter)
    wait_for_computed(page)
    settle(page)
    page.click("#full-screen")
    settle(page, 1200)
    assert 0 <= page.evaluate(top, chapter) < 110, "the heading is in view"
    assert page.locator(".drawing[data-state=shown]").get_attribute("data-level") == level
    assert page.locator(".presentation-place").inner_text() == f"{number} of 13"
    assert "not treatment or dosing advice" in page.locator(".presentation-notice").inner_text()
    zoom = "getComputedStyle(document.querySelector('.chapters')).zoom"
    assert float(page.evaluate(zoom)) >= 1.15, "the text of the figures grows as well"
    page.keyboard.press("End")
    settle(page)
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.presentation-place').textContent === '13 of 13, the last chapter'")


def test_an_arrow_key_moves_the_dose_in_the_text_by_one_step(story):
    dose = story.locator(".hero .drag-number[aria-label=dose]")
    dose.focus()
    for key, text in (("ArrowRight", "0.55 mg/kg"), ("ArrowUp", "0.6 mg/kg"), ("ArrowLeft", "0.55 mg/kg")):
        story.keyboard.press(key)
        until(story, "t => document.activeElement.getAttribute('aria-valuetext') === t", text)


@at_sizes("laptop")
def test_the_dose_in_the_body_is_listed_above_the_sentence(story):
    story.evaluate("document.getElementById('dose').scrollIntoView()")
    story.locator("#dose .choice label", has_text="Nose spray").click()
    until(story, "document.querySelector('.scene-legend')?.textContent.includes('In mouth and gut')")
    listed, sentence = (story.locator(name).bounding_box() for name in (".scene-legend", ".scene-sentence"))
    assert listed["y"] + listed["height"] <= sentence["y"]


@at_sizes("laptop", "phone")
def test_marks_of_published_values_are_explained(story):
    until(story, "document.querySelector('#point-legend').textContent.includes('square: used to fit')")
    assert story.locator("#point-legend li").first.is_visible()
    people = "document.querySelector('#mood-figure .legend').textContent.includes('30 of 200 simulated')"
    until(story, people)


def test_a_guessed_course_is_compared_at_the_points_of_the_line(story):
    guess = story.locator(".guess").first
    guess.scroll_into_view_if_needed()
    guess.get_by_role("button", name="Show without a guess").click()
    guess.locator(".guess-curve").wait_for(state="attached")
    assert guess.locator(".model-dot").count() == 9 + 1, "at nine points and in the legend"
    assert "model at the times of the guess" in guess.locator(".legend").inner_text()
    guess.get_by_role("button", name="Try again").click()


def test_points_of_the_score_add_up(story, effects):
    story.wait_for_selector("#score-bar p", state="attached")
    text = story.locator("#score-bar p").text_content()
    whole, expected, drug = map(float, re.findall(r"\d+\.\d", text))
    assert whole == pytest.approx(expected + drug, abs=0.11)
    assert drug == pytest.approx(effects()[DAY], abs=0.06)


def test_a_new_spine_is_called_mature_where_it_is_drawn_mature(story):
    for hours, name in ((24, "thin"), (168, "mature")):
        story.evaluate("async h => (await import('/js/time-slider.js')).selectedTime.set(h)", hours)
        story.click("button[data-level=synapse]")
        settle(story)
        assert name in story.locator("[data-id=new-spine]").text_content()
        drawn = "e => e.dataset.mature === 'yes'"
        assert story.locator(".synapse .new-spine").evaluate(drawn) == (name == "mature")
        story.click("button[data-level=spine]")
        settle(story)
        assert story.locator(".spine-row[data-now=yes] .new-spine[data-mature=yes]").count() == (name == "mature")
        chip = story.locator("[data-row=site_heads] b").inner_text()
        assert (chip == "0 of 100") == (name == "thin")


HOURS = (2 / 3, 24, 72, 168)
PARTS = "node => [...node.children].slice(1).map(e => e.textContent).join(' ')"  # after the heading
DAY, WEEK = 1, 3  # places in HOURS


@pytest.fixture
def effects(client, infusion):
    """Points by which the drug lowers the score at some times, with settings of the scenario."""

    def simulated(times=HOURS, **keys):
        request = {"scenario": {**infusion, "horizon": "31 days", **keys}, "outputs": ["mood.madrs"]}
        found = client.post("/api/outputs", json={**request, "times": [0, *times]}).json()
        score, control = (np.array(found[one]["mood.madrs"][1:]) for one in ("values", "control"))
        return control - score

    return simulated


@pytest.fixture
def shares_at(effects, client):
    """Points that each way brings at some times: Shapley values of groups of pathways; felt: with every pathway off."""
    rows = client.get("/api/metadata").json()["story"]["ways"]
    groups = {row["id"]: row["pathways"].split(";") for row in rows if row["pathways"]}
    names = list(groups)

    def divided(times):
        def worth(present):
            off = [pathway for name in names if name not in present for pathway in groups[name]]
            return effects(times, pathways=dict.fromkeys(off, False))

        found = {frozenset(ones): worth(ones) for size in range(4) for ones in combinations(names, size)}
        orders = list(permutations(names))

        def mean_gain(name):
            before = [frozenset(order[: order.index(name)]) for order in orders]
            return sum(found[ones | {name}] - found[ones] for ones in before) / len(orders)

        return {"felt": found[frozenset()], **{name: mean_gain(name) for name in names}}

    return divided


@pytest.fixture
def shares(shares_at):
    return shares_at(HOURS)


def test_the_ways_change_places_at_the_times_that_the_caption_states(story, shares_at):
    until(story, "document.querySelector('#leading-way').textContent.length > 20")
    order = story.locator("#leading-way").text_content()
    hours, days = re.search(
        r"felt effects until ([\d.]+) hours, the habenula \(it stays caught there\) until ([\d.]+) days, then syn",
        order,
    ).groups()
    times = [*np.arange(1, 3, 0.02), *np.arange(24, 60, 0.2)]
    ways = shares_at(times)
    first = times[int(np.argmax(ways["habenula"] > ways["felt"]))]
    second = next(time for i, time in enumerate(times) if time > 24 and ways["synapse"][i] > ways["habenula"][i])
    assert float(hours) == pytest.approx(first, abs=0.06)
    assert float(days) == pytest.approx(second / 24, abs=0.06)


def numbers_in(text):
    return list(map(float, re.findall(r"\d+\.\d", text)))


SUMMARY_JS = "() => [...document.querySelectorAll('#summary li')].map(node => node.textContent)"
SUMMARY_TIMES = (2 / 3, 4, 24, 72, 730.5)  # h
SUMMARY_OUTPUTS = {
    "blocked": "nmda.blocked_interneuron",
    "glutamate": "glutamate.extracellular",
    "bursts": "habenula.bursting",
    "protein": "plasticity.synaptic_protein",
    "spines": "spines.density",
    "mood": "mood.madrs",
}


def expected_summary(client, scenario):
    """The numbers of each dated line: those of the scenario, simulated by the server."""
    names = list(SUMMARY_OUTPUTS.values()) if "species" not in scenario else list(SUMMARY_OUTPUTS.values())[:-1]
    request = {"scenario": {**scenario, "horizon": "31 days"}, "outputs": names, "times": [-1, *SUMMARY_TIMES]}
    answer = client.post("/api/outputs", json=request).json()
    found = {key: answer["values"][name] for key, name in SUMMARY_OUTPUTS.items() if name in names}

    def change(key, i):
        ratio = found[key][i] / found[key][0]
        return f"{abs(100 * (ratio - 1)):.0f} percent {'fewer' if ratio < 1 else 'more'}"

    spines = [f"{100 * value:.0f}" for value in found["spines"]]
    counted = [f"{value} of 100" for value in spines]
    lines = [
        [f"{100 * found['blocked'][1]:.0f} of 100 gates", f"{change('glutamate', 1)} glutamate"],
        [f"{change('bursts', 2)} bursts", change("protein", 2)],
        [f"{change('bursts', 3)} bursts", f"from {spines[0]} up to {counted[3]} (100 is healthy)"],
        [counted[4]],
        [counted[5]],
    ]
    if "mood" in found:
        scores = zip(found["mood"][1:], answer["control"]["mood.madrs"][1:], strict=True)
        for line, (score, without) in zip(lines, scores, strict=True):
            hardly = f"Mood score {score:.0f}, with or without"  # below half a point of the drug
            line.append(hardly if without - score < 0.5 else f"Mood score {score:.0f} instead of {without:.0f}")
    return lines


@pytest.mark.parametrize(
    ("hash_", "treatment", "species"),
    [
        ("", "racemic 0.5 mg/kg IV over 40 min", None),
        ("#&dose=1", "racemic 1 mg/kg IV over 40 min", None),
        ("#&route=nasal&schedule=twice", "esketamine 84 mg nasal twice weekly for 4 weeks", None),
        ("#&route=rat", "racemic 10 mg/kg IP", "rat"),
    ],
)
def test_the_summary_states_the_numbers_of_the_present_simulation(page, address, client, hash_, treatment, species):
    open_story(page, f"{address}/{hash_}")
    until(page, f"({SUMMARY_JS})().length === 5")
    scenario = {"treatments": [treatment], **({"species": species} if species else {"person": {"weight": "70 kg"}})}
    shown = page.evaluate(SUMMARY_JS)
    for line, expected in zip(shown, expected_summary(client, scenario), strict=True):
        assert all(text in line for text in expected), (line, expected)
        assert ("Mood score" in line) == (species is None)
        seen = re.search(r"Seen in (.+?) ·", line)[1]
        assert re.fullmatch(r"(some scans of )?\w+(, [\w ]+)*( and [\w ]+)?", seen), seen
        assert seen.count("people") <= 1, seen
    links = page.locator("#summary a").evaluate_all("ones => ones.map(one => one.getAttribute('href'))")
    assert set(links) >= {"#receptor", "#networks", "#signalling", "#synapses"}
    assert page.evaluate("links => links.every(link => document.querySelector(link).matches('.chapter'))", links)


def test_without_a_dose_there_is_no_summary(page, address):
    page.goto(f"{address}/#&dose=0")
    page.wait_for_selector("#leading-way", state="attached")
    until(page, "document.querySelector('#leading-way').textContent.length > 20")
    assert page.locator("#summary").is_hidden()


def test_the_summary_names_the_way_that_brings_most(story, shares_at):
    until(story, f"({SUMMARY_JS})().length === 5")
    ways = shares_at(SUMMARY_TIMES)
    names = {"felt": "felt effects", "habenula": "the habenula", "synapse": "synapse and spines"}
    for i, line in enumerate(story.evaluate(SUMMARY_JS)[:-1]):
        most = max(names, key=lambda name: ways[name][i])
        how, by = re.search(r", (mostly|partly) through ([a-z ]+)\.", line).groups()
        assert by == names[most]
        drug = sum(values[i] for values in ways.values())
        assert (how == "mostly") == (ways[most][i] >= drug / 2), line


def test_the_points_lost_without_a_mechanism_stand_beside_what_the_ways_bring(story, effects, shares):
    whole = effects()
    left = {
        "#glutamate": effects(pathways={"disinhibition": False}),
        "#synapses": effects(perturbations=["rapamycin"]),
    }
    until(story, "document.querySelector('#synapses [data-mechanism]').textContent.length > 20")
    for chapter, points in left.items():
        cells = story.locator(f"{chapter} [data-mechanism] td").all_text_contents()
        stated = [whole, shares["synapse"], shares["habenula"], whole - points]
        expected = [one[i] for one in stated for i in (DAY, WEEK)]
        assert [float(cell.replace("−", "-")) for cell in cells] == pytest.approx(expected, abs=0.11), chapter
    place = "#networks [data-with='off:habenula']"
    until(story, f'document.querySelector("{place}").textContent.length > 20')
    story.evaluate(SET_TIME, 24)
    shown = re.search(r"Ticked, the score after 24 h is ([\d.]+), not ([\d.]+)\.", story.locator(place).text_content())
    lost = whole[DAY] - effects(pathways={"habenula": False})[DAY]
    assert float(shown[1]) - float(shown[2]) == pytest.approx(lost, abs=0.11)
    assert story.locator(".drawing[data-level=synapse] .habenula-burst").count() > 9


def test_every_place_states_the_same_size_of_a_way(story, effects, shares, infusion, client):
    request = {"scenario": {**infusion, "horizon": "31 days"}, "outputs": ["mood.madrs"], "times": [-1, *HOURS]}
    rest, *scores = client.post("/api/outputs", json=request).json()["values"]["mood.madrs"]
    whole = effects()
    until(story, "document.querySelector('#leading-way').textContent.length > 20")
    filled, falls = {}, {}
    for i, hours in enumerate(HOURS):
        story.evaluate(SET_TIME, hours)
        bar = dict(re.findall(r"([a-z ]+?)(−?\d+\.\d)", story.locator("#fall-bar ul").evaluate(PARTS)))
        bar = {name.strip(): float(value.replace("−", "-")) for name, value in bar.items()}
        [fall] = numbers_in(story.locator("#fall-bar .heading").text_content())
        assert sum(bar.values()) == pytest.approx(fall, abs=0.01), "the parts add up"
        assert fall == pytest.approx(rest - scores[i], abs=0.11)
        assert bar["expectancy"] == pytest.approx(rest - scores[i] - whole[i], abs=0.06)
        for name, label in (("felt", "felt"), ("habenula", "habenula"), ("synapse", "synapse and spines")):
            assert bar[label] == pytest.approx(shares[name][i], abs=0.11), f"{name} after {hours} h"
        for chapter, label in (("networks", "habenula"), ("synapses", "synapse and spines")):
            caption = story.locator(f"#{chapter} [data-way]")
            caption.scroll_into_view_if_needed()
            settle(story)  # the chapter moves the clock
            story.evaluate(SET_TIME, hours)
            said = re.search(r"([\d.]+) of the ([\d.]+) points that the drug adds at this time", caption.text_content())
            assert list(map(float, said.groups())) == [bar[label], pytest.approx(fall - bar["expectancy"], abs=0.01)]
        widths = story.locator("#fall-bar > svg rect").evaluate_all(
            "all => all.map(e => Number(e.getAttribute('width')))"
        )
        assert widths[0] / sum(widths) == pytest.approx(bar["expectancy"] / fall, abs=0.01)
        filled[hours] = sum(widths)
        falls[hours] = fall
    most = max(falls, key=falls.get)
    assert filled[most] <= 100.1
    for hours, fall in falls.items():
        assert filled[hours] == pytest.approx(filled[most] * fall / falls[most], abs=1), "as long as the fall is large"
    until(story, "document.querySelector('#pathways-figures table') !== null")
    cells = story.locator("#pathways-figures table").first.locator("tr", has_text="habenula").locator("td")
    assert float(cells.nth(DAY).inner_text()) == pytest.approx(shares["habenula"][DAY], abs=0.06)


def test_the_ribbon_has_a_caption_and_names_every_band(story, client):
    ways = client.get("/api/metadata").json()["story"]["ways"]
    until(story, "document.querySelector('#leading-way').textContent.length > 20")
    assert story.locator("#ways path.band").count() == len(ways)
    inside, beside = (story.locator(f"#ways {part}").all_text_contents() for part in ("svg text", ".band-name"))
    assert len(inside) + len(beside) == len(ways)
    assert all(any(row["label"].endswith(name) for name in (*inside, *beside)) for row in ways)
    label = story.locator("#ways svg[role=img]").get_attribute("aria-label")
    assert [time in label for time in ("After 1 hour", "After 24 hours", "After 3 days", "After 7 days")] == [True] * 4
    order = story.locator("#leading-way").text_content()
    span = r"until .* (hours|days), "
    assert re.search("What the drug adds comes mostly from .* " + span + ".* " + span + "then", order)
    set_slider(story, story.locator("[data-dose]").first, 0.0)
    until(story, "document.querySelector('#leading-way').textContent.includes('hardly anything')")
    assert story.locator("#ways path.band").count() == 0


@at_sizes("laptop", "desktop", "small laptop")
def test_the_first_screen_says_which_way_leads_and_what_each_adds_now(story):
    until(story, "document.querySelector('#leading-way').textContent.length > 20")
    dock = story.locator("#time-bar").bounding_box()["y"]
    for part in ("#leading-way", "#ways svg[role=img]", "#fall-bar"):
        box = story.locator(part).bounding_box()
        assert box["y"] + box["height"] <= dock, part


def test_without_a_dose_nothing_of_the_synapse_moves(page, address):
    page.goto(f"{address}/#&dose=0&hours=0.667")
    until(page, f"{NOW}.includes('nine in ten')")
    assert "no drug" in scenario(page)
    chips = page.locator(".scene-legend[data-level=synapse] b").all_inner_texts()
    assert set(chips[:-1]) == {"at rest"}
    assert chips[-1].endswith("of 100")
    marks = "[...document.querySelectorAll('.drawing .synapse :is(.full, .ketamine):not(.protein-band)')]"
    assert page.evaluate(f"{marks}.filter(e => e.getAttribute('opacity') > 0).length") == 0
    hollow = "document.querySelectorAll('.synapse [data-hollow=yes]').length"
    assert page.evaluate(hollow) == 0
    marks = page.locator(".hero .dose-marks span").all_inner_texts()
    assert marks == ["0", "0.5 usual", "1", "above all mood trials"]


@at_sizes("wide")
def test_words_on_the_mood_curve_are_few_and_computed(story, model, infusion):
    story.wait_for_selector("#mood-figure .words .half-left", state="attached")
    words = story.locator("#mood-figure .words .note:not(.control-name)").all_text_contents()
    assert 2 <= len(words) <= 4
    lead = story.locator("#lead").inner_text()
    time = re.search(r"drug’s part halved after ([\d.]+) days", " ".join(words))[1]
    assert f"left after {time} days" in lead
    hours = np.arange(0.05, 240, 0.05)
    treated, control = model.simulate(infusion["treatments"][0], times=hours, outputs=["mood.madrs"])[
        "mood.madrs"
    ].values
    most = np.max(control - treated)
    assert abs(float(time) - hours[control - treated >= most / 2][-1] / 24) < 0.07, (
        "read between the points of the curve"
    )


DISTANCE_TO_CURSOR = """((left) => Math.abs(left('.cursor') - left('.bracket.drug')))(
    (name) => document.querySelector(`#mood-figure ${name}`).getBoundingClientRect().left)"""


@at_sizes("wide")
def test_points_on_the_mood_curve_are_those_of_the_clock(story, effects):
    whole = effects()
    for i, hours in enumerate(HOURS):
        story.evaluate(SET_TIME, hours)
        said = story.locator("#mood-figure .drug-points").text_content()
        assert numbers_in(said) == [pytest.approx(whole[i], abs=0.06)], f"after {hours} h"
        until(story, DISTANCE_TO_CURSOR + " < 15")  # beside the clock's time
    story.evaluate(SET_TIME, 24)
    points = story.locator("#score-bar p").text_content()
    drug = re.search(r"and ([\d.]+) more with the drug", points)[1]
    assert story.locator("#mood-figure .drug-points").text_content() == f"{drug} points: drug"


def test_a_chapter_brings_its_own_time(page, address):
    open_story(page, address)
    hours = "(async () => (await import('/js/time-slider.js')).selectedTime.hours)()"
    for chapter, expected in (("synapses", 72), ("networks", 24), ("receptor", 2 / 3), ("pathways", 24)):
        page.evaluate("id => document.getElementById(id).scrollIntoView()", chapter)
        settle(page)
        assert page.evaluate(hours) == pytest.approx(expected, rel=1e-3), chapter
    assert page.locator(".stage-mood").is_visible(), "the chapter speaks of mood"
    notice = page.locator(".clock-notice")
    assert notice.inner_text().startswith("The clock moved to 24 hours for this chapter.")
    dock, box, slider = (page.locator(one).bounding_box() for one in ("#time-bar", ".clock-notice", "#time-slider"))
    assert dock["y"] <= box["y"], "it covers nothing of the chapter"
    assert box["y"] + box["height"] <= dock["y"] + dock["height"]
    assert box["y"] >= slider["y"] + slider["height"]
    notice.get_by_role("button", name="Back to 40 minutes").click()
    assert page.evaluate(hours) == pytest.approx(2 / 3, rel=1e-3), "the reader's own time"
    assert not notice.is_visible()
    page.wait_for_timeout(1100)  # a time just chosen is kept
    for chapter, is_shown in (("synapses", True), ("receptor", False)):
        page.evaluate("id => document.getElementById(id).scrollIntoView()", chapter)
        settle(page)
        assert notice.is_visible() == is_shown, "there is a way back where the clock is not at the reader's own time"
    page.focus("#time-slider")
    page.keyboard.press("End")
    assert page.evaluate(hours) == pytest.approx(730.5)


def test_the_comparison_has_a_clock_of_even_days(story):
    story.locator("#comparison").scroll_into_view_if_needed()
    story.wait_for_selector("#comparison-figures path.curve")
    ticks = story.locator("#comparison-figures svg text").all_text_contents()
    assert {"start", "4 weeks", "8 weeks", "12 weeks"} <= set(ticks)
    assert "12 weeks" not in story.locator("#mood-figure .figure > svg").text_content()


SMALL = """() => {
  const shown = [...document.querySelectorAll('main *, header *, .time-bar *')].filter(e => e.checkVisibility());
  const own = shown.filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  const scaleOf = e => { const ctm = e.getScreenCTM?.(); return ctm ? Math.hypot(ctm.a, ctm.b) : 1 };
  return own.map(e => [parseFloat(getComputedStyle(e).fontSize) * scaleOf(e), e.textContent.trim().slice(0, 30)])
    .filter(([size]) => size < 12.9);
}"""


@at_sizes("desktop", "phone")
def test_no_text_is_smaller_than_thirteen_pixels(story):
    for level in ("body", "brain", "synapse", "spine"):
        story.click(f"button[data-level={level}]")
        settle(story)
        assert story.evaluate(SMALL) == [], level


def test_paper_shows_four_pictures_of_the_synapse_and_no_controls(page, address):
    open_story(page, address)
    page.wait_for_selector("#summary li")  # its times stay on paper
    page.click("button[data-level=spine]")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    stills = page.locator(".print-stills .drawing")
    assert [stills.nth(i).get_attribute("data-level") for i in range(stills.count())] == ["synapse"] * 4
    assert not page.locator(".hero .slider").is_visible()
    assert not page.locator(".published-response button").first.is_visible()
    dead = "#story :is(.badge, .link-button):visible"
    assert page.locator(dead).count() == 0
    page.emulate_media(media="screen")
    page.click("#full-screen")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('.presentation-place').textContent === '1 of 13'")
    page.emulate_media(media="print")
    chapters = page.locator(".chapter:visible")
    assert [chapters.nth(i).get_attribute("id") for i in range(chapters.count())] == ["mood"], "full screen prints one"
    assert stills.first.is_visible()
    assert not page.locator(".hero").is_visible()


def test_claims_left_open_and_claims_spoken_against_stand_in_two_lists(story):
    until(story, "document.querySelectorAll('#open-claims .claim').length > 10")
    lists = story.locator("#open-claims").evaluate(
        "node => [...node.children].map(e => e.matches('h3') ? e.textContent : e.className.replace('claim ', ''))"
    )
    assert lists[0] == "Left open"
    second = lists.index("The studies speak against it")
    assert set(lists[1:second]) == {"mixed"}
    assert set(lists[second + 1 :]) == {"not-supported", "contradicted"}
    text = story.locator("#open-claims [data-claim=cognition]").text_content()
    assert "hardly tested, one study" in text
    assert "hardly tested" not in story.locator("#open-claims [data-claim=suicidality]").text_content()


def test_other_treatments_are_stated_from_the_first_week_on(story):
    story.locator("#comparison").scroll_into_view_if_needed()
    story.wait_for_selector(".published-comparison table")
    caption = story.locator('[data-caption="comparison"]')
    caption.scroll_into_view_if_needed()
    move = "async hours => (await import('/js/time-slider.js')).selectedTime.set(hours)"
    text = "document.querySelector('[data-caption=comparison]').textContent"
    story.evaluate(move, 2 / 3)
    until(story, f"{text}.includes('Other treatments take weeks')")
    assert "ECT" not in caption.text_content()
    story.evaluate(move, 168)
    until(story, f"/ECT [\\d.]+/.test({text})")


LAPTOPS = [(1280, 800), (1280, 900), (1366, 768), (1440, 800), (1440, 900), (1440, 1080), (1920, 800), (1920, 1000)]


@pytest.mark.parametrize("size", LAPTOPS, ids=lambda size: f"{size[0]} x {size[1]}")
def test_the_scale_of_the_dose_lies_above_the_clock(page, address, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    open_story(page, address)
    page.wait_for_selector("#leading-way", state="attached")
    until(page, "document.querySelector('#leading-way').textContent.length > 20")
    settle(page)
    bottom = "q => document.querySelector(q).getBoundingClientRect().bottom"
    top = page.evaluate("document.querySelector('#time-bar').getBoundingClientRect().top")
    assert page.evaluate(bottom, ".dose-marks") <= top


def test_the_mood_curve_has_a_button_that_saves_it(page, address):
    open_story(page, address)
    with page.expect_download() as saved:
        page.locator("#mood-figure").get_by_role("button", name="as PNG").click()
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")


def test_a_claim_says_its_verdict_in_words_and_higher_levels_in_numbers(page, address):
    open_story(page, address)
    until(page, "document.querySelectorAll('.chapter [data-claim].claim').length > 10")
    page.evaluate("document.querySelector('[data-claim=memantine]').click()")
    dialog = page.locator("dialog[open]")
    words = dialog.locator("[data-until=plain]", has_text="Results for it")
    numbers = dialog.locator("[data-from=student]", has_text="Basis of the verdict")
    assert words.inner_text().startswith(
        "Results for it: 1 in cells. Results against it: 1 in people and 1 in animals."
    )
    assert words.inner_text().endswith(
        "too little of that is from people: so it is not supported, and not yet contradicted."
    )
    assert numbers.is_hidden()
    assert "weight" not in dialog.locator(".lean-bar").inner_text()
    page.keyboard.press("Escape")
    page.locator("#reading-level input[value=student]").check(force=True)
    page.evaluate("document.querySelector('[data-claim=memantine]').click()")
    assert words.is_hidden()
    assert numbers.is_visible()
