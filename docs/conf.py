"""Sphinx configuration of the site: `make docs` builds it, nothing is fetched by the reader's browser."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

from docutils.nodes import bullet_list, list_item
from sphinx.addnodes import toctree as toctree_node
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from makers.site import write_notebooks, write_pages  # noqa: E402  (the path comes first)

import ketamech  # noqa: E402

write_pages(HERE)
write_notebooks(HERE / "notebooks", HERE / "made" / "extra" / "notebooks")

project = "KetaMech"
author = "The KetaMech authors"
copyright = "The KetaMech authors. For research and education only: not treatment or dosing advice"
version = release = ketamech.__version__

extensions = ["myst_nb", "sphinx_copybutton"]
INCLUDED = ["made/guides.md", "made/credibility/counts.md", "made/theory/order.md"]  # parts of other pages
exclude_patterns = ["conf.py", "makers", "made/extra", "schema", *INCLUDED]
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE.parent / "build" / "notebooks")
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

smartquotes = False  # two hyphens are an option, not a dash
html_theme = "furo"
html_title = "KetaMech"
html_static_path = ["static"]
html_css_files = ["ketamech.css"]
html_extra_path = ["made/extra"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "announcement": "For research and education only: not treatment or dosing advice.",
    "light_css_variables": {"color-brand-primary": "#1f5f8b", "color-brand-content": "#1f5f8b"},
    "dark_css_variables": {"color-brand-primary": "#7db8e0", "color-brand-content": "#7db8e0"},
}


def setup(app: Sphinx) -> None:
    """Blocks of regimen sentences and of tables are shown as they are; a quick list of pages beside every page."""
    from pygments.lexers.special import TextLexer

    for name in ("sentences", "csv"):
        app.add_lexer(name, TextLexer)
    app.connect("html-page-context", list_titles_only, priority=100)  # before the theme, which calls `toctree`


def list_titles_only(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """A `toctree` for a list of titles that does not copy all headings and Python names of all pages to drop them."""
    env, toctree = app.env, context.get("toctree")

    def quick_toctree(**options: Any) -> str:
        contents = env.tocs
        env.tocs = titles(env) if options.get("titles_only") else contents
        try:
            return toctree(**options)
        finally:
            env.tocs = contents

    if toctree is not None:
        context["toctree"] = quick_toctree


@cache
def titles(env: BuildEnvironment) -> dict[str, bullet_list]:
    """The contents of every page without its headings."""
    return {page: title_and_subpages(contents) for page, contents in env.tocs.items()}


def title_and_subpages(contents: bullet_list) -> bullet_list:
    """The title of a page, and the lists of pages that stand below any heading of it."""
    short = contents.copy()
    for item in contents:
        if isinstance(item, list_item):
            subpages = [one.deepcopy() for one in item.findall(toctree_node)]
            parts = [item[0].deepcopy(), *([bullet_list("", *subpages)] if subpages else [])]
            short += list_item("", *parts)
        else:
            short += item.deepcopy()
    return short
