"""Chromium, where it is installed, a fresh page of it, and a look at the texts of every figure that is written."""

import os
import shutil

import pytest
from browser_helpers import SIZES, new_page

from figure_texts import faults_of_written_figures

# The shell is the same engine without windows, which takes a sixth less of a processor for a story and a third less for
# a workbench. KETAMECH_CHROMIUM chooses it, and it is found where it is alone.
SHELL = "chromium-headless-shell"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", SHELL)
# The address bar of every window would open two pages of its own, which take 0.7 s of a processor for each page of a
# test. The switch replaces that of Playwright, which has the other names.
DISABLED_FEATURES = (
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding",
    "PreconnectToSearch", "ThirdPartyStoragePartitioning",
)  # fmt: skip
SWITCHES = ["--no-sandbox", "--disable-dev-shm-usage", f"--disable-features={','.join(DISABLED_FEATURES)}"]
SHELL_SWITCHES = ["--font-render-hinting=none"]  # hinted letters are wider than those in a window
MISSING = "no Chromium: apt-get install chromium, or set KETAMECH_CHROMIUM to a browser of that kind"


def chromium_path():
    """Where a Chromium is, or None."""
    return os.environ.get("KETAMECH_CHROMIUM") or next((p for p in map(shutil.which, BROWSERS) if p), None)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    path = chromium_path()
    if path is None:
        pytest.skip(MISSING)
    with playwright.sync_playwright() as running:
        own = SHELL_SWITCHES if path.endswith(SHELL) else []
        found = running.chromium.launch(executable_path=path, args=[*SWITCHES, *own])
        yield found
        found.close()


@pytest.fixture
def width(request):
    """Desktop, unless the test is marked `@at_both_widths`."""
    return getattr(request, "param", "desktop")


@pytest.fixture
def page(browser, width):
    """A fresh page at one width."""
    opened = new_page(browser, *SIZES[width])
    yield opened
    opened.context.close()


@pytest.fixture(autouse=True)
def figures_with_whole_texts():
    """No figure that a test writes cuts a text or lets it leave the figure."""
    with faults_of_written_figures() as faults:
        yield faults
    assert not faults, "\n".join(faults)
