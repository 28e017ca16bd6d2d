"""Steps of the browser tests: open a page, wait for what is drawn, move a slider, look for accessibility findings."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from waits import PATIENCE, until_true

at_both_widths = pytest.mark.parametrize("width", ["phone", "desktop"], indirect=True)
SIZES = {  # of the window of the fixture `story`
    "desktop": (1366, 850), "laptop": (1366, 768), "tablet": (1024, 768), "200 %": (683, 425), "phone": (390, 844),
    "400 %": (341, 300), "small laptop": (1280, 720), "wide": (1440, 900),
}  # fmt: skip
CHAPTERS = (
    "mood", "felt", "dose", "receptor", "glutamate", "signalling", "synapses", "networks", "inflammation", "pathways",
    "comparison", "safety", "unknown",
)  # fmt: skip
AXE_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],  # details of what passes take a third of the time
}

LINK_CONTENT = "atob(location.hash.slice(3).split('&')[0].replace(/-/g, '+').replace(/_/g, '/'))"
LINK_TIME = f"JSON.parse({LINK_CONTENT}).view.time"  # selected time in hours


def at_sizes(*names):
    """Run a test with `story` at these sizes of the window."""
    return pytest.mark.parametrize("story_size", [SIZES[name] for name in names], ids=names)


def new_page(browser, width, height, **settings):
    """A page in a context of its own, which whoever asks for it closes; `console_errors`: what its console reports."""
    viewport = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, accept_downloads=True, reduced_motion="reduce", **settings)
    context.set_default_timeout(1000 * PATIENCE)
    page, errors = context.new_page(), []
    page.console_errors = errors
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page


def until(page, condition, arg=None):
    """Wait until something is true: an expression on the page, or a function of the test.

    (wait_for_function evaluates text on the page, which the page forbids.)
    """
    question = condition if callable(condition) else lambda: page.evaluate(condition, arg)
    until_true(question, lambda seconds: page.wait_for_timeout(1000 * seconds), condition)


SETTLED = """async (milliseconds) => {
  const frames = async () => {
    for (let i = 0; i < 2; i++) await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  };
  await frames();
  await new Promise((done) => setTimeout(done, milliseconds));
  await frames();
}"""


def settle(page, milliseconds=150):
    """Wait until what follows from the last step is drawn.

    The page itself counts the time, behind the timers that the step has started: the 120 ms after which a chapter in
    view sets level and clock are over on a slow machine, too.
    """
    page.evaluate(SETTLED, milliseconds)


def wait_for_computed(page):
    """Wait until everything that the story computes after it is opened is drawn."""
    until(page, "document.querySelectorAll('#pathways-figures table').length === 2")
    page.wait_for_selector("#comparison path.curve", state="attached")
    until(page, "document.querySelector('#ten-people').children.length > 0")


def open_story(page, address):
    page.goto(address)
    page.wait_for_selector("#dose path.curve")
    until(page, "document.querySelector('#dose [data-caption]').textContent.length > 20")  # filled after the curve


def open_workbench(page, address, hash_=""):
    page.goto(f"{address}/workbench{hash_}")
    page.wait_for_selector("#panel path.curve")
    if page.locator("#toggle-cases").is_visible():
        page.click("#toggle-cases")


def show_few_people(page, count=20):
    """Simulate fewer virtual patients than the page does by default, from the next load on."""

    def changed(route):
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "story_patients": count})

    page.route("**/api/metadata*", changed)


def findings(page):
    """Serious and critical findings of axe."""
    # The package reads its own script at import in the locale's encoding, which other libraries reset to ASCII.
    script = Path(find_spec("axe_core_python").origin).with_name("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(script)
    found = page.evaluate("rules => axe.run(rules)", AXE_RULES)
    return [
        (one["id"], one["impact"], one["nodes"][0]["html"][:160])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def set_slider(page, slider, share):
    slider.evaluate(
        "(e, s) => { e.value = String(Number(e.min) + s * (e.max - e.min)); "
        "e.dispatchEvent(new Event('input', { bubbles: true })) }", share,
    )  # fmt: skip


def fits_the_width(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")


def upload(page, name, content):
    page.set_input_files("#file", {"name": name, "mimeType": "text/plain", "buffer": content})


def press_until(page, key, condition, most=120):
    """Press a key until something has the focus."""
    for _ in range(most):
        if page.evaluate(f"Boolean({condition})"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never reached {condition}")


def card(page, number=0):
    """The form of one case."""
    return page.locator(".case").nth(number)
