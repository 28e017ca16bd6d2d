"""A test client, a server in this process on a free port of 127.0.0.1, and Chromium where it is installed."""

import os
import shutil
import socket
import threading
import time

import pytest

pytest.importorskip("fastapi", reason="the page is not installed: pip install 'ketamech[web]'")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START = 30.0  # s that a server may take to start
MISSING = "no Chromium: apt-get install chromium, or set KETAMECH_CHROMIUM to a browser of that kind"


@pytest.fixture(scope="session")
def engine(model):
    from ketamech.app.app_state import AppState

    return AppState(model)


@pytest.fixture(scope="session")
def client(engine):
    from starlette.testclient import TestClient

    from ketamech.app.server import make_app

    with TestClient(make_app(engine), base_url="http://127.0.0.1") as found:
        yield found


@pytest.fixture(scope="session")
def address(model):
    """The server has its own engine: the limiter of an engine belongs to one event loop, and the client has another."""
    import uvicorn

    from ketamech.app.app_state import AppState
    from ketamech.app.server import make_app

    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(AppState(model)), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + START
    while not server.started:
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(5)


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
        found = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield found
        found.close()


SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1366, "height": 850}}


@pytest.fixture
def width(request):
    """Desktop, unless the test is marked `@at_both_widths`."""
    return getattr(request, "param", "desktop")


@pytest.fixture
def page(browser, width):
    """A fresh page at one width; `console_errors` holds what its console reports."""
    context = browser.new_context(viewport=SIZES[width], accept_downloads=True, reduced_motion="reduce")
    opened = context.new_page()
    opened.console_errors = []
    opened.on(
        "console", lambda message: opened.console_errors.append(message.text) if message.type == "error" else None
    )
    opened.on("pageerror", lambda error: opened.console_errors.append(str(error)))
    yield opened
    context.close()


INFUSION = {"treatments": ["racemic 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}}


@pytest.fixture
def infusion():
    return {key: list(value) if isinstance(value, list) else dict(value) for key, value in INFUSION.items()}
