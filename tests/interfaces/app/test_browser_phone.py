"""The story on a phone: bar of the clock, drawing that can be hidden, list of chapters, cards, crisis lines."""

import re

import pytest
from browser_helpers import SIZES, at_sizes, new_page, open_story, settle, until, wait_for_computed

LANDED = "document.getElementById('{}').scrollIntoView({{ block: 'start', behavior: 'instant' }})"
CLOCK = "what => import('/js/time-slider.js').then(({ selectedTime }) => selectedTime[what[0]](what[1]))"


def read(page, chapter):
    """Scroll to a chapter, which sets level and clock."""
    page.evaluate(LANDED.format(chapter))
    settle(page)


def press(page, selector):
    """Press by the mouse where a thing is, without a scroll before it."""
    box = page.locator(selector).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


FAULTS_OF_THE_BAR = """() => {
  const bar = document.querySelector('#time-bar');
  const inside = bar.getBoundingClientRect();
  const parts = [...bar.querySelectorAll('button, a, output, input, strong, .ticks span, .clock-notice > span')]
    .filter((one) => one.checkVisibility() && getComputedStyle(one).clipPath === 'none');
  const nameOf = (one) => one.id || one.className || one.textContent;
  const boxes = parts.map((one) => ({ name: nameOf(one), box: one.getBoundingClientRect(), one }));
  const faults = [];
  boxes.forEach(({ name, box, one }, i) => {
    const isOutside = box.top < inside.top || box.bottom > innerHeight + 0.5;
    if (isOutside || box.left < 0 || box.right > innerWidth) faults.push(`${name} leaves the bar`);
    if (one.scrollWidth > one.clientWidth + 1 && one.clientWidth) faults.push(`${name} is cut`);
    for (const other of boxes.slice(i + 1)) {
      const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
      const height = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
      if (width > 1 && height > 1 && !one.contains(other.one)) faults.push(`${name} lies over ${other.name}`);
    }
  });
  const hasOverflow = (one) => getComputedStyle(one).overflowX !== 'visible' && one.scrollWidth > one.clientWidth + 1;
  const scrolls = [...bar.querySelectorAll(':not(input)')].filter((one) => one.clientWidth > 1 && hasOverflow(one));
  return [...faults, ...scrolls.map((one) => `${one.className} scrolls`)];
}"""
SHOWN = "(id) => document.getElementById(id).checkVisibility()"


@pytest.mark.parametrize("width", [360, 390, 430, 700, 1024, 1366])
def test_in_every_state_of_the_clock_nothing_overlaps_or_is_cut(browser, address, width):
    page = new_page(browser, width, 844)
    open_story(page, address)
    found, states = {}, {}

    def look(state):
        settle(page)
        found[state] = page.evaluate(FAULTS_OF_THE_BAR)
        names = ("undo", "reset", "clock-back", "even-clock", "open-chapters")
        states[state] = {name for name in names if page.evaluate(SHOWN, name)}

    always = {"even-clock", "open-chapters"}
    look("first")
    read(page, "networks")
    look("moved")
    page.locator("#dose input[value=nasal]").evaluate("e => e.click()")
    until(page, "location.hash.includes('route=nasal')")
    look("moved and changed")
    page.locator("#even-clock").click()
    look("even")
    page.evaluate(CLOCK, ["set", 59 / 60])
    look("own time")
    page.evaluate(CLOCK, ["set", 21.5 * 24])
    look("late")
    assert states["first"] == always
    assert states["moved"] == always | {"clock-back"}
    assert states["moved and changed"] == always | {"clock-back", "undo", "reset"}
    assert states["late"] == always | {"undo", "reset"}
    assert {state: faults for state, faults in found.items() if faults} == {}
    page.context.close()


RECEPTOR = "document.querySelector('#receptor').getBoundingClientRect().top"
SHIFT = """new PerformanceObserver((list) => {
  for (const one of list.getEntries())
    window.layoutShift = (window.layoutShift ?? 0) + (one.hadRecentInput ? 0 : one.value);
}).observe({ type: "layout-shift", buffered: true });"""
HEADING = "document.querySelector('#networks-title').getBoundingClientRect().top"


def test_the_drawing_can_be_hidden_for_the_visit_and_the_text_keeps_its_place(browser, address):
    page = new_page(browser, *SIZES["phone"])
    page.add_init_script(SHIFT)
    open_story(page, address)
    wait_for_computed(page)  # nothing grows any more
    read(page, "networks")
    fold, scene = page.locator(".fold-drawing"), page.locator("#scene")
    assert fold.get_attribute("aria-expanded") == "true"
    before, high = page.evaluate(HEADING), scene.bounding_box()["height"]
    press(page, ".fold-drawing")
    settle(page)
    assert fold.inner_text() == "Show the drawing"
    assert fold.get_attribute("aria-expanded") == "false"
    assert page.evaluate(HEADING) == pytest.approx(before, abs=2)
    assert scene.bounding_box()["height"] < 56 < 300 < high
    assert "The subgenual cingulate" in page.locator("#scene-sentence").inner_text(), "what is drawn, in words"
    assert not page.locator(".stage").is_visible()
    read(page, "synapses")
    assert "spines" in page.locator("#scene-sentence").inner_text(), "it follows chapter and clock"
    page.reload()
    page.wait_for_selector("#dose path.curve")
    assert not page.locator(".stage").is_visible(), "remembered"
    wait_for_computed(page)
    settle(page, 400)
    assert page.evaluate("window.layoutShift ?? 0") < 0.05
    read(page, "networks")
    before = page.evaluate(HEADING)
    press(page, ".fold-drawing")
    settle(page)
    assert page.evaluate(HEADING) == pytest.approx(before, abs=2)
    assert page.locator(".drawing[data-state=shown]").is_visible()
    page.context.close()


def test_in_a_low_window_the_drawing_is_hidden_until_it_is_wanted(browser, address):
    page = new_page(browser, *SIZES["200 %"])
    open_story(page, address)
    read(page, "receptor")
    assert not page.locator(".stage").is_visible()
    assert page.locator("#receptor-title").bounding_box()["y"] < SIZES["200 %"][1] / 2
    press(page, ".fold-drawing")
    settle(page)
    assert page.locator(".stage").is_visible()
    page.context.close()


@at_sizes("laptop", "desktop", "tablet")
def test_beside_the_text_the_drawing_cannot_be_hidden(story):
    assert not story.locator(".fold-drawing").is_visible()
    assert story.locator(".stage").is_visible()


PANEL = """() => {
  const isInFlow = (one) => one.offsetHeight > 2 && getComputedStyle(one).position !== 'absolute';
  const parts = [...document.querySelectorAll('#scene > *')].filter(isInFlow);
  const boxes = parts.map((one) => one.getBoundingClientRect()).sort((a, b) => a.top - b.top);
  const gaps = boxes.slice(1).map((box, i) => box.top - boxes[i].bottom);
  const empty = parts.filter((one) => !one.matches('.stage') && !one.textContent.trim()).map((one) => one.className);
  return { height: document.querySelector('#scene').offsetHeight, gap: Math.max(0, ...gaps), empty };
}"""


@at_sizes("phone")
def test_the_pinned_panel_has_one_height_and_no_empty_band(story):
    heights = set()
    for chapter in ("mood", "felt", "dose", "receptor", "synapses", "networks", "inflammation"):
        read(story, chapter)
        found = story.evaluate(PANEL)
        assert found["empty"] == [], chapter
        assert found["gap"] < 4, chapter
        heights.add(found["height"])
    assert max(heights) <= 410
    assert max(heights) - min(heights) <= 4, heights


@at_sizes("phone", "laptop")
def test_the_list_of_chapters_opens_from_the_clock_and_leads_back_to_the_top(story):
    read(story, "synapses")
    assert story.locator(".drawing[data-state=shown]").get_attribute("data-level") == "spine"
    chapters = story.locator("#chapter-nav")
    assert not chapters.is_visible()
    press(story, "#open-chapters")
    links = chapters.get_by_role("listitem").get_by_role("link")
    assert links.count() == 13
    assert links.locator("xpath=self::*[@aria-current='true']").all_inner_texts() == [links.nth(6).inner_text()]
    for i in range(13):
        box = links.nth(i).bounding_box()
        assert box["height"] >= 40, "the height of a finger"
    story.keyboard.press("Escape")
    assert not chapters.is_visible()
    press(story, "#open-chapters")
    links.nth(3).click()
    until(story, f"{RECEPTOR} > 0 && {RECEPTOR} < innerHeight / 2")
    assert not chapters.is_visible()
    settle(story)
    press(story, "#open-chapters")
    chapters.get_by_role("button", name="Back to the top").click()
    settle(story)
    assert story.evaluate("scrollY") == 0
    assert not chapters.is_visible()


@at_sizes("phone")
def test_at_the_top_the_mood_curve_is_not_drawn_twice(story):
    for chapter in ("mood", "pathways"):
        read(story, chapter)
        assert story.locator(".stage-mood").is_visible()
        story.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
        settle(story)
        assert story.locator("#mood-figure path.curve.main").first.is_visible()
        assert not story.locator(".stage-mood").is_visible()
        assert story.locator(".drawing[data-state=shown]").get_attribute("data-level") == "synapse"


@at_sizes("phone", "laptop")
def test_the_card_of_a_word_has_a_cross_and_goes_with_its_word(story):
    read(story, "receptor")
    term = story.locator("#receptor .term:visible").first
    press(story, "#receptor .term:visible >> nth=0")
    card = story.locator(".term-card:popover-open")
    distance = card.bounding_box()["y"] - term.bounding_box()["y"]
    story.mouse.wheel(0, 80)
    settle(story)
    assert card.bounding_box()["y"] - term.bounding_box()["y"] == pytest.approx(distance, abs=2)
    cross = card.get_by_role("button", name="Close")
    box, around = cross.bounding_box(), card.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    assert box["x"] + box["width"] <= around["x"] + around["width"] <= story.viewport_size["width"]
    press(story, ".term-card:popover-open .close")
    assert story.locator(":popover-open").count() == 0
    press(story, "#receptor .term:visible >> nth=0")
    assert card.is_visible()
    story.keyboard.press("Escape")
    assert story.locator(":popover-open").count() == 0


def test_back_closes_what_is_open_before_it_leaves_the_page(browser, address):
    """A card, the list of chapters and the dialog of a claim; closed otherwise, they leave nothing behind for Back."""
    page = new_page(browser, 390, 844)
    page.goto(f"{address}/exercises")
    open_story(page, f"{address}/#receptor")
    until(page, "document.querySelector('#felt .claim') !== null")
    opened = "() => document.querySelectorAll('dialog[open], :popover-open').length"
    openers = ("#receptor .term", "#open-chapters", "#felt .claim")

    def open_one(selector):
        page.locator(f"{selector} >> visible=true").first.evaluate("e => e.click()")
        until(page, f"({opened})() === 1 && history.state.isOpen")

    # Of the chapter in the window: the page above it grows when it is touched first.
    top = "document.querySelector('#receptor h2').getBoundingClientRect().top"
    place = page.evaluate(top)
    for selector in openers:
        open_one(selector)
        page.evaluate("history.back()")
        until(page, f"({opened})() === 0 && !history.state.isOpen")
    for selector in openers:
        open_one(selector)
        page.keyboard.press("Escape")
        until(page, f"({opened})() === 0 && !history.state.isOpen")
    assert page.evaluate(top) == pytest.approx(place, abs=3)
    open_one("#open-chapters")
    page.locator("#chapter-list a").nth(5).click()
    until(page, "location.hash.startsWith('#signalling') && !history.state.isOpen")
    settle(page)
    assert page.evaluate("document.querySelector('#signalling h2').getBoundingClientRect().top < innerHeight")
    for _ in range(4):
        if page.url.endswith("/exercises"):
            break
        page.evaluate("void setTimeout(() => history.back())")  # answers before the page is left
        until(page, lambda here=page.url: page.url != here)
    assert page.url.endswith("/exercises")
    page.close()


@at_sizes("phone")
def test_the_card_of_a_claim_has_a_cross(story):
    until(story, "document.querySelector('#felt .claim') !== null")
    read(story, "felt")
    for close in ("cross", "Escape"):
        story.locator("#felt .claim").first.evaluate("e => e.click()")
        cross = story.locator("dialog[open]").get_by_role("button", name="Close")
        box = cross.bounding_box()
        assert min(box["width"], box["height"]) >= 44
        if close == "cross":
            cross.click()
        else:
            story.keyboard.press(close)
        assert story.locator("dialog[open]").count() == 0


@pytest.mark.parametrize("width", [360, 390, 430])
def test_lines_of_the_first_screen_keep_their_margin_and_the_levels_are_whole(browser, address, width):
    page = new_page(browser, width, 844)
    open_story(page, address)
    until(page, "document.querySelector('#leading-way').textContent.length > 20")
    for place in ("#lead", "#leading-way", "#mood-now", "#point-legend"):
        box = page.locator(place).bounding_box()
        assert box["x"] >= 14, place
        assert box["x"] + box["width"] <= width - 14, place
    header, levels = (page.locator(name).bounding_box() for name in (".site-header", "#reading-level"))
    assert levels["y"] + levels["height"] <= header["y"] + header["height"]
    assert page.locator(".site-header").evaluate("e => e.scrollHeight - e.clientHeight") <= 0
    shown = ".levels button, .fold-drawing"
    tops = page.locator(shown).evaluate_all("all => all.map((e) => Math.round(e.getBoundingClientRect().top / 20))")
    assert len(set(tops)) == 1, "one line"
    page.context.close()


TOUCHING = """(selector) => {
  const texts = [...document.querySelectorAll(selector)].map((one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return { text: one.textContent, box: range.getBoundingClientRect() };
  });
  return texts.flatMap(({ text, box }, i) => texts.slice(i + 1).filter(({ box: other }) =>
    Math.min(box.right, other.right) - Math.max(box.left, other.left) > -3 &&
    Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top) > 2).map((other) => `${text} ${other.text}`));
}"""


@at_sizes("phone")
def test_numbers_of_the_ten_people_do_not_run_together(story):
    story.wait_for_selector("#ten-people .ten-person", state="attached")
    for row in (1, 2):
        assert story.evaluate(TOUCHING, f"#ten-people .people-row:nth-child({row}) .ten-person span") == []


@at_sizes("phone")
def test_the_row_of_the_clock_is_named_now_with_its_time_in_one_line(story):
    read(story, "synapses")
    lines = story.locator(".spine-row[data-now=yes] .spine-time tspan")
    assert lines.all_text_contents() == ["Now,", "3 days"]
    branch = story.locator(".spine-row[data-now=yes] .branch").bounding_box()
    for hours in (2 / 3, 20, 21.5 * 24):
        story.evaluate(CLOCK, ["set", hours])
        box = story.locator(".spine-row[data-now=yes] .spine-time").bounding_box()
        assert box["x"] + box["width"] <= branch["x"] + 2


@at_sizes("phone", "laptop")
def test_the_scale_of_the_clock_is_said_in_words(story):
    note = story.locator(".time-scale-note").filter(visible=True).first
    assert note.inner_text().startswith("The first hour is wider than the last weeks.")
    hour, two_days = (story.evaluate(CLOCK, ["fractionOf", hours]) for hours in (1, 48))
    assert hour > 1 - two_days, "the first hour, and all after the second day"
    story.click("#even-clock")
    assert note.inner_text().startswith("Every week is equally wide.")
    assert story.locator("#even-clock").get_attribute("aria-pressed") == "true"
    story.click("#even-clock")


STOPS = "#crisis-lines :is(a, summary, button)"


@pytest.mark.parametrize(("language", "number"), [("en-GB", "116 123"), ("de", "0800 111 0 111"), ("pt-PT", None)])
def test_the_crisis_line_of_the_readers_country_stands_first(browser, address, language, number):
    page = new_page(browser, *SIZES["phone"], locale=language)
    open_story(page, address)
    box = page.locator("#crisis-lines")
    box.scroll_into_view_if_needed()
    assert "call your local emergency number" in box.inner_text()
    stops = page.locator(STOPS).filter(visible=True)
    if number:
        shown = box.locator("li").filter(visible=True)
        assert [number in text for text in shown.all_inner_texts()] == [True]
        assert stops.count() == 3, "the number, its source and the list"
        press(page, "#crisis-lines summary")
    assert box.locator("li").filter(visible=True).count() == 25
    assert len(set(box.locator("li").all_inner_texts())) == 25, "every number once"
    assert re.search(r"Numbers of 2\d (other )?countries", box.inner_text())
    page.context.close()


@at_sizes("phone")
def test_the_habenula_is_named_in_the_drawing_of_a_phone(story):
    for hours in (72, 2 / 3):
        story.evaluate(CLOCK, ["set", hours])
        settle(story)
        check_the_habenula(story)


def check_the_habenula(story):
    frame, stage = (story.locator(name).bounding_box() for name in (".synapse .inset .frame", ".stage"))
    name = story.locator(".synapse .inset .label text").bounding_box()
    for box in (frame, name):
        assert box["x"] >= stage["x"]
        assert box["x"] + box["width"] <= stage["x"] + stage["width"]
        assert stage["y"] <= box["y"] <= stage["y"] + stage["height"] - box["height"]
    assert story.locator(".synapse .inset .label").is_visible()
