"""The page: a local web server over the same public names as the command line."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily, listing

if TYPE_CHECKING:
    from ketamech.app.browsing import browser_test as browser_test
    from ketamech.app.browsing import take_pictures as take_pictures
    from ketamech.app.loading import load_test as load_test
    from ketamech.app.server import make_app as make_app
    from ketamech.app.serving import serve as serve

_WHERE = {
    "browser_test": "browsing",
    "load_test": "loading",
    "make_app": "server",
    "serve": "serving",
    "take_pictures": "browsing",
}

__all__ = sorted(_WHERE)
__getattr__ = lazily(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
