"""The page: a local web server over the same public names as the command line."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily

if TYPE_CHECKING:
    from ketamech.app.loading import load_test as load_test
    from ketamech.app.server import make_app as make_app
    from ketamech.app.serving import serve as serve

_WHERE = {"load_test": "loading", "make_app": "server", "serve": "serving"}

__all__ = sorted(_WHERE)
__getattr__ = lazily(__name__, _WHERE)
