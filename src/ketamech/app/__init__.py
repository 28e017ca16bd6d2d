"""The page: a local web server over the same public names as the command line."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from benchmarks.browser_test import browser_test as browser_test
    from benchmarks.browser_test import take_pictures as take_pictures
    from benchmarks.load_test import load_test as load_test

    from ketamech.app.run_server import serve as serve
    from ketamech.app.server import make_app as make_app

_WHERE = {
    "browser_test": "browsing",
    "load_test": "loading",
    "make_app": "server",
    "serve": "serving",
    "take_pictures": "browsing",
}

__all__ = sorted(_WHERE)
__getattr__ = lazy_getattr(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
