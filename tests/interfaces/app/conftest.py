"""A test client, and a server in this process on a free port of 127.0.0.1."""

import socket
import threading
from contextlib import closing

import pytest

from waits import until_true

pytest.importorskip("fastapi", reason="the page is not installed: pip install 'ketamech[web]'")


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
    until_true(lambda: server.started)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="session")
def shared_stories(browser, address):
    from shared_story import SharedStories

    with closing(SharedStories(browser, address)) as shared:
        yield shared


@pytest.fixture
def story_size():
    """The size of the window of `story`; tests are parametrized by others."""
    return 1366, 850


@pytest.fixture
def story(shared_stories, story_size):
    """The story, opened, for a test that needs no fresh page: see `SharedStories`."""
    with shared_stories.lend(*story_size) as page:
        yield page


INFUSION = {"treatments": ["racemic 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}}


@pytest.fixture
def infusion():
    return {key: list(value) if isinstance(value, list) else dict(value) for key, value in INFUSION.items()}
