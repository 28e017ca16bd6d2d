"""The static site, built once, and its address below a path of a plain server of files."""

import json
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from static_server import served_folder

pytest.importorskip("fastapi", reason="the page is not installed: pip install 'ketamech[web]'")


@pytest.fixture(scope="session")
def app_state(model):
    from ketamech.app.app_state import AppState

    return AppState(model)


@pytest.fixture(scope="session")
def site(app_state, tmp_path_factory):
    """A folder that holds the site in its folder `some/path`."""
    from ketamech.site.build_site import build_site

    root = tmp_path_factory.mktemp("site")
    (root / "some" / "path").mkdir(parents=True)
    build_site(root / "some" / "path", app_state)
    return root


@pytest.fixture(scope="session")
def site_address(site):
    with served_folder(site) as address:
        yield f"{address}/some/path/"


@pytest.fixture(scope="session")
def shared_stories(browser, site_address):
    from shared_story import SharedStories

    with closing(SharedStories(browser, site_address)) as shared:
        yield shared


@pytest.fixture
def shared_story(shared_stories):
    """The story of the site, opened, for a test that needs no fresh page: see `SharedStories`."""
    with shared_stories.lend(1366, 850) as page:
        yield page


@pytest.fixture(scope="session")
def ask(site, tmp_path_factory):
    """The answers of the engine to [(name, body)]."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node, which runs the JavaScript modules")

    def answers(requests):
        file = tmp_path_factory.mktemp("requests") / "requests.json"
        file.write_text(json.dumps(requests))
        command = [node, Path(__file__).parent / "answers.mjs", site / "some" / "path" / "engine", file]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return answers
