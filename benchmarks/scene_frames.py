"""Script time of a frame of the story page while the clock runs, with the processor of the browser slowed down.

`python -m benchmarks.scene_frames [ADDRESS]` prints two lines for each level of the drawing, one for a clock that plays
and one for a clock that is dragged; without an address it starts a server of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product
from typing import Any

from benchmarks.browser_test import chromium
from benchmarks.load_test import running_server

SLOWDOWN, FRAMES = 4, 240
LEVELS = ("body", "brain", "synapse", "spine")
# "run" is what the play button calls in every frame, "set" what a drag of the slider calls.
CHANGES = {"played": "run", "dragged": "set"}
RUN_CLOCK_JS = """async ([level, frames, change]) => {
  const { selectedTime } = await import('/js/time-slider.js');
  document.querySelector(`button[data-level=${level}]`).click();
  const found = [];
  // All script runs in callbacks of a frame: the browser's count of script leaves out what follows an await.
  await new Promise((done) => {
    const step = () => {
      if (found.length === frames) return done();
      const began = performance.now();
      selectedTime[change](selectedTime.hoursAt(found.length / (frames - 1)));
      found.push(performance.now() - began);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  });
  const drawing = document.querySelector('.drawing[data-state=shown]');
  return { times: found, nodes: drawing.querySelectorAll('*').length };
}"""


def frame_times(address: str) -> dict[str, dict[str, float]]:
    """Milliseconds of script a frame by level and kind of change, and nodes of the drawing.

    Mean processor time, and wall-clock time of the clock and the drawing alone, which other programs lengthen.
    """
    found = {}
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.wait_for_selector(".person-curve", state="attached")
        page.wait_for_timeout(6000)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        for level, (kind, change) in product(LEVELS, CHANGES.items()):
            before = _script_seconds(session)
            result = page.evaluate(RUN_CLOCK_JS, [level, FRAMES, change])
            mean = 1000 * (_script_seconds(session) - before) / FRAMES
            found[f"{level} {kind}"] = {"mean": round(mean, 2), **_summary(result)}
    return found


def _script_seconds(session: Any) -> float:
    """Processor time of all script of the page so far (s): other programs on the machine do not count."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "ScriptDuration"))


def _summary(result: dict[str, Any]) -> dict[str, float]:
    ordered = sorted(result["times"])
    median, high = ordered[len(ordered) // 2], ordered[int(0.95 * (len(ordered) - 1))]
    return {"median": round(median, 2), "p95": round(high, 2), "max": round(ordered[-1], 2), "nodes": result["nodes"]}


def main(arguments: Sequence[str]) -> None:
    """Print the script time of a frame for every level."""
    if arguments:
        found = frame_times(arguments[0])
    else:
        with running_server() as (port, _):
            found = frame_times(f"http://127.0.0.1:{port}/")
    print(f"milliseconds of script a frame, processor slowed {SLOWDOWN} times, {FRAMES} frames")
    for name, one in found.items():
        print(f"{name:16} " + "  ".join(f"{figure} {value}" for figure, value in one.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
