"""The static site in Chromium: bytes before the first figure, time to it on laptop and phone, one patient, and 200."""

from __future__ import annotations

import functools
import gzip
import http.server
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.browser_test import chromium

VISITS, PHONE_VISITS, DOSES = 5, 3, 30
LAPTOP, PHONE = {"width": 1366, "height": 850}, {"width": 390, "height": 844}
SLOWER, BYTES_PER_SECOND, LATENCY_MS = 6, 400_000, 40
OBSERVE = """window.layoutShift = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())
if (!one.hadRecentInput) window.layoutShift += one.value; }).observe({ type: "layout-shift", buffered: true });
const curves = new MutationObserver(() => {
  if (!document.querySelector("path.curve")) return;
  curves.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.firstFigure = performance.now())));
});
curves.observe(document, { childList: true, subtree: true });"""
SETTLED = 3000  # ms until the page does not move any more
AIMS = {
    "first_figure_kb": ("compressed before the first figure, kB", "500"),
    "all_files_kb": ("compressed, all files, kB", ""),
    "first_figure_ms": ("first figure on a laptop, ms", "1500"),
    "first_figure_phone_ms": ("first figure on a phone (processor 6 times slower, 400 kB/s), ms", "4000"),
    "layout_shift": ("layout shift, the larger of laptop and phone", "0.05"),
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
            laptop = [_first_figure(browser, address, LAPTOP) for _ in range(VISITS)]
            phone = [_first_figure(browser, address, PHONE) for _ in range(PHONE_VISITS)]
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
    times |= {"first_figure_ms": [ms for ms, _ in laptop], "first_figure_phone_ms": [ms for ms, _ in phone]}
    medians = {name: sorted(values)[len(values) // 2] for name, values in times.items()}
    rounded = {name: round(value, 1) for name, value in (found | medians).items()}
    return rounded | {"layout_shift": round(max(shift for _, shift in laptop + phone), 3)}


def _request(dose: float, tracks: list[str] | None) -> dict[str, Any]:
    treatment = f"racemic {dose:.2f} mg/kg IV over 40 min"
    scenario = {"treatments": [treatment], "person": {"weight": "70 kg"}, "horizon": "28 days"}
    return {"scenario": scenario} | ({"track": "mood"} if tracks is None else {"tracks": tracks})


def _first_figure(browser: Any, address: str, size: dict[str, int]) -> tuple[float, float]:
    """Milliseconds from navigation to the frame with the first curve, empty cache, and the layout shift of the visit.

    The page takes the time: a program that looks from outside waits for the tasks that follow the frame.
    """
    page = browser.new_context(viewport=size).new_page()
    page.add_init_script(OBSERVE)
    if size is PHONE:
        session = page.context.new_cdp_session(page)
        network = {"offline": False, "latency": LATENCY_MS, "uploadThroughput": -1}
        session.send("Network.emulateNetworkConditions", network | {"downloadThroughput": BYTES_PER_SECOND})
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(address)
    page.wait_for_selector("path.curve")
    page.wait_for_timeout(SETTLED)
    found, shift = page.evaluate("[window.firstFigure, window.layoutShift]")
    page.context.close()
    return float(found), float(shift)


@functools.cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


class _Compressing(http.server.SimpleHTTPRequestHandler):
    """Files compressed by gzip, as hosts of static files send them."""

    def do_GET(self) -> None:
        """One file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            return self.send_error(404)
        content = _compressed(path)
        self.send_response(200)
        for name, value in {"Content-Type": self.guess_type(path), "Content-Encoding": "gzip"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@contextmanager
def _served(folder: str) -> Iterator[str]:
    handler = functools.partial(_Compressing, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
