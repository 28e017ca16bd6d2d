"""The static site, built once, and a plain server of files that serves it below a path."""

import functools
import http.server
import threading

import pytest

pytest.importorskip("fastapi", reason="the page is not installed: pip install 'ketamech[web]'")


@pytest.fixture(scope="session")
def app_state(model):
    from ketamech.app.app_state import AppState

    return AppState(model)


@pytest.fixture(scope="session")
def site(app_state, tmp_path_factory):
    """A folder that holds the site in its folder `some/path`."""
    pytest.importorskip("ziglang", reason="the linker of WebAssembly: pip install 'ketamech[site]'")
    from ketamech.site.build_site import build_site

    root = tmp_path_factory.mktemp("site")
    (root / "some" / "path").mkdir(parents=True)
    build_site(root / "some" / "path", app_state)
    return root


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site_address(site):
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/some/path/"
        server.shutdown()
