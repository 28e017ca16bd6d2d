"""The static site in Chromium: bytes before the first figure, time to it, time of one patient and of 200."""

from __future__ import annotations

import functools
import http.server
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.browser_test import chromium

VISITS, DOSES = 5, 30
AIMS = {
    "first_figure_kb": ("compressed before the first figure, kB", "500"),
    "all_files_kb": ("compressed, all files, kB", ""),
    "first_figure_ms": ("first figure, ms", ""),
    "one_patient_ms": ("one patient and its control, 28 days, MADRS, ms", "40"),
    "one_patient_all_ms": ("the same, every track, ms", ""),
    "patients_ms": ("200 virtual patients, 28 days, MADRS, ms", "1000"),
}
ASK = """async ([path, bodies]) => {
    const { postJson } = await import("./js/api.js");
    const times = [];
    for (const body of bodies) {
        const began = performance.now();
        await postJson(path, body);
        times.push(performance.now() - began);
    }
    return times;
}"""


def site_speed(tell: Callable[[str], None]) -> dict[str, Any]:
    """Sizes in kB and times in ms (medians) of a site that is built for it."""
    from ketamech.app.app_state import AppState
    from ketamech.site.build_site import build_site

    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        tell("Building the site")
        size = build_site(Path(folder), AppState())
        with _served(folder) as address:
            tell("Opening the page")
            figures = [_first_figure(browser, address) for _ in range(VISITS)]
            page = browser.new_page()
            page.goto(address)
            page.wait_for_selector("path.curve")
            page.wait_for_timeout(3000)
            tell("Simulating")
            doses = [0.1 + 0.05 * i for i in range(DOSES)]
            times = {
                "one_patient_ms": page.evaluate(ASK, ["/api/curves", [_request(dose, ["mood"]) for dose in doses]]),
                "one_patient_all_ms": page.evaluate(ASK, ["/api/curves", [_request(dose, []) for dose in doses]]),
                "patients_ms": page.evaluate(ASK, ["/api/population", [_request(dose, None) for dose in doses[::5]]]),
            }
    found = {"first_figure_kb": size.before_first_figure / 1e3, "all_files_kb": size.compressed / 1e3}
    medians = {
        name: sorted(values)[len(values) // 2] for name, values in (times | {"first_figure_ms": figures}).items()
    }
    return {name: round(value, 1) for name, value in (found | medians).items()}


def _request(dose: float, tracks: list[str] | None) -> dict[str, Any]:
    treatment = f"racemic {dose:.2f} mg/kg IV over 40 min"
    scenario = {"treatments": [treatment], "person": {"weight": "70 kg"}, "horizon": "28 days"}
    return {"scenario": scenario} | ({"track": "mood"} if tracks is None else {"tracks": tracks})


def _first_figure(browser: Any, address: str) -> float:
    """Milliseconds from navigation to the first curve, with an empty cache."""
    page = browser.new_context(viewport={"width": 1366, "height": 850}).new_page()
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("path.curve")
    found = 1000 * (time.perf_counter() - began)
    page.context.close()
    return found


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@contextmanager
def _served(folder: str) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
