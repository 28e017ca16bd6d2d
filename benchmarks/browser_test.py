"""What a reader's browser sees of the page: how soon it paints, and how soon a moved slider is a drawn curve."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.load_test import running_server
from ketamech.core import InputError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MOVES, BANDS = 60, 20
Tell = Callable[[str], None]
MOVE_SLIDER_JS = """(slider, share) => { slider.value = String(Number(slider.min) + share * (slider.max - slider.min));
slider.dispatchEvent(new Event('input', { bubbles: true })); }"""
TRANSFER_SIZE_JS = """[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
.reduce((sum, one) => sum + one.encodedBodySize, 0)"""
SHOW_TIME_JS = """async (i) => {
  const { selectedTime, STILLS } = await import('/js/time-slider.js');
  selectedTime.set(STILLS[i]);
}"""
STILLS_JS = "import('/js/time-slider.js').then(({ STILLS }) => STILLS.length)"
PICTURES = {
    "story": ("/", "", 1440, 900, "light"),
    "chapter": ("/", "#receptor", 1440, 960, "light"),
    "growth": ("/", "#signalling", 1440, 1000, "light"),
    "feeling": ("/", "#felt", 1440, 1000, "light"),
    "beside": ("/", "#comparison", 1440, 900, "light"),
    "ways": ("/", "#pathways", 1440, 1000, "dark"),
    "bench": ("/workbench", "", 1440, 1000, "light"),
    "people": ("/workbench#tab=population", "", 1440, 1000, "dark"),
    "trial": ("/workbench#tab=trial", "#panel h3.section-title", 1440, 1000, "light"),
    "phone": ("/", "#dose", 390, 844, "light"),
    "phone-bench": ("/workbench", "#results", 390, 844, "dark"),
}


def _follow_a_rat(page: Any) -> None:
    page.locator("#signalling [data-rat]").check()
    page.wait_for_selector("#signalling .point", state="attached")


def _run_a_trial(page: Any) -> None:
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_selector("#panel .figure-grid figure path.curve", state="attached", timeout=120_000)


DONE: dict[str, Callable[[Any], None]] = {"growth": _follow_a_rat, "trial": _run_a_trial}


@contextmanager
def chromium() -> Iterator[Any]:
    """Chromium driven by Playwright. Raises InputError that says what to install."""
    path = os.environ.get("KETAMECH_CHROMIUM") or next((p for p in map(shutil.which, BROWSERS) if p), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InputError("Playwright is not installed", type_this="pip install playwright") from None
    if path is None:
        raise InputError(
            "there is no Chromium", expected="a browser of the system", type_this="apt-get install chromium"
        )
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


def browser_test(tell: Tell) -> dict[str, Any]:
    """Milliseconds to first paint, to the first figure, from slider to curves and to a band; bytes of the page."""
    with chromium() as browser:
        tell("Starting the server")
        began = time.perf_counter()
        with running_server() as (port, _):
            page = browser.new_page(viewport={"width": 1366, "height": 850})
            started = time.perf_counter()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector("path.curve")
            figure = time.perf_counter()
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            page.wait_for_timeout(2000)
            weight = page.evaluate(TRANSFER_SIZE_JS)
            tell("Moving the dose of the story")
            curves = _moved(page, "#dose [data-dose]", "slider to redraw", MOVES, 120)
            tell("Moving the dose under 200 people")
            page.goto(f"http://127.0.0.1:{port}/workbench#tab=population")
            page.wait_for_selector("#panel path.band")
            page.locator(".case button", has_text="Remove").last.click()
            page.wait_for_timeout(1500)
            bands = _moved(page, ".case [data-dose]", "slider to band", BANDS, 500)
    return {
        "first_paint_ms": round(paint),
        "first_figure_from_start_of_server_ms": round(1000 * (figure - began)),
        "first_figure_from_navigation_ms": round(1000 * (figure - started)),
        "slider_to_curves_ms": _figures(curves),
        "slider_to_band_ms": _figures(bands),
        "page_bytes": int(weight),
    }


def _moved(page: Any, slider: str, measure: str, times: int, wait: int) -> list[float]:
    """Move a slider back and forth; the page measures from input to redraw."""
    page.wait_for_timeout(1000)
    page.evaluate("performance.clearMeasures()")
    found = page.locator(slider).first
    for i in range(times):
        found.evaluate(MOVE_SLIDER_JS, (i * 7 % 19 + 1) / 20)
        page.wait_for_timeout(wait)
    page.wait_for_timeout(1000)
    durations = page.evaluate("name => performance.getEntriesByName(name).map(e => e.duration)", measure)
    return [float(one) for one in durations]


def _figures(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    if not ordered:
        return {"count": 0}
    return {
        "count": len(ordered),
        "median": round(ordered[len(ordered) // 2], 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
    }


def take_pictures(folder: Path, tell: Tell) -> list[Path]:
    """Pictures of both pages, wide and narrow, light and dark, for the documentation."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with chromium() as browser, running_server() as (port, _):
        for name, (path, place, width, height, colours) in PICTURES.items():
            tell(f"app-{name}.png")
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=colours)
            page.goto(f"http://127.0.0.1:{port}{path}")
            if name in DONE:
                DONE[name](page)
            page.wait_for_selector("path.band" if "population" in path else "figure > svg path.curve", state="attached")
            page.wait_for_timeout(1500)
            if place:
                page.evaluate("s => document.querySelector(s).scrollIntoView({ behavior: 'instant' })", place)
                page.wait_for_timeout(2500)
            target = folder / f"app-{name}.png"
            page.screenshot(path=target)
            written.append(target)
            page.close()
        written += _take_frames(browser, port, folder, tell)
    return written


def _take_frames(browser: Any, port: int, folder: Path, tell: Tell) -> list[Path]:
    """The drawing at twelve times of the clock: a recording of it as frames."""
    page = browser.new_page(viewport={"width": 1366, "height": 768}, reduced_motion="reduce")
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector(".person-curve", state="attached")
    page.wait_for_timeout(3000)
    written = []
    for i in range(page.evaluate(STILLS_JS)):
        tell(f"clock-{i + 1:02}.jpg")
        page.evaluate(SHOW_TIME_JS, i)
        page.wait_for_timeout(400)
        target = folder / f"clock-{i + 1:02}.jpg"
        page.locator("#scene").screenshot(path=target, type="jpeg", quality=70)
        written.append(target)
    page.close()
    return written
