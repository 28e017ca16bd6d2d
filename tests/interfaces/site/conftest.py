"""The static site, built once, and its address below a path of a plain server of files."""

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
