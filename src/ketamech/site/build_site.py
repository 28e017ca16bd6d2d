"""Writes the static site: the story page, the compiled model, and every answer that the page reads from a file.

The same model and the same sources give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ketamech.app.app_state import AppState
from ketamech.app.browser.engine_files import ENGINE_FILES, compact_json, engine_file
from ketamech.app.browser.model_tables import PEOPLE
from ketamech.app.responses import as_json
from ketamech.app.routes.evidence import claim_result, claims_of, evidence_row
from ketamech.app.routes.metadata import metadata_of
from ketamech.app.security_middleware import RUNS_MODEL
from ketamech.app.server import STATIC

PAGE = "index.html"
SCRIPT = "js/story.js"
STARTS_WORKER = "js/browser-kernel.js"  # loaded first, so that the worker's files load beside those of the page
ENTRY_POINTS = (SCRIPT, "engine/worker.js", "engine/answers.js", "simulate.js")  # others are found by their imports
SERVER_ONLY = (".js", ".html", "workbench.css")  # scripts and pages are chosen, other static files copied
LATER = (  # read after the first figure
    "api/evidence.json", "api/claims.json", "api/claim-results.json", "engine/people.bin", "engine/people.json",
    "engine/published.json", "files.js", "service-worker.js",
)  # fmt: skip
_IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*"(\.[^"]+\.js)"|new URL\("(\.[^"]+\.js)", import\.meta\.url\)""")


@dataclass(frozen=True)
class SiteSize:
    """Number of files, and bytes compressed by gzip: of all files, and of those before the first figure."""

    files: int
    compressed: int
    before_first_figure: int


def build_site(folder: Path, app_state: AppState, announce: Callable[[str], None] = lambda text: None) -> SiteSize:
    """Write the site into an empty folder. Raises InputError where the linker of WebAssembly is not installed."""
    announce("Compiling the model to WebAssembly ...")
    written = _engine_files(app_state) | {"api/metadata.json": _metadata(app_state)}
    announce("Simulating the experiments of the claims ...")
    written |= _evidence_files(app_state)
    for name in _static_files():
        written[name] = (STATIC / name).read_bytes()
    written[PAGE] = _page((STATIC / PAGE).read_text(encoding="utf-8")).encode()
    written["files.js"] = _file_list(written)
    for name, content in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return _size(written)


def _engine_files(app_state: AppState) -> dict[str, bytes]:
    """The compiled model and its tables."""
    return {f"engine/{name}": engine_file(app_state, name) for name in ENGINE_FILES}


def _metadata(app_state: AppState) -> bytes:
    return as_json(metadata_of(app_state).model_copy(update={"story_patients": PEOPLE}))


def _evidence_files(app_state: AppState) -> dict[str, bytes]:
    """Claims with what the model shows of each, and every evidence row."""
    claims = claims_of(app_state)
    rows = [evidence_row(row, app_state) for row in app_state.evidence.observations.values()]
    results = {name: claim_result(app_state, name).model_dump(mode="json") for name in claims}
    files = {"claims": claims, "claim-results": results, "evidence": rows}
    return {f"api/{name}.json": compact_json(content) for name, content in files.items()}


def _static_files() -> list[str]:
    """The modules of the page and of the worker, and the other static files, by their path in the static folder."""
    others = (path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
    copied = (name for name in others if not name.endswith(SERVER_ONLY))
    return sorted({*_modules(*ENTRY_POINTS), "service-worker.js", *copied})


def _modules(*entry_points: str) -> set[str]:
    """Modules and those that they import, also in their turn."""
    found, waiting = set[str](), list(entry_points)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for match in _IMPORT.finditer((STATIC / name).read_text(encoding="utf-8")):
            imported = (STATIC / name).parent / (match[1] or match[2])
            waiting.append(imported.resolve().relative_to(STATIC.resolve()).as_posix())
    return found


def _page(text: str) -> str:
    """The story page as a static page: it asks its own workers, and its policy is in the page."""
    policy = f'<meta http-equiv="content-security-policy" content="{RUNS_MODEL}">'
    modules = sorted(name for name in _modules(SCRIPT) if not name.startswith("engine/"))
    preloads = "\n  ".join(f'<link rel="modulepreload" href="{name}">' for name in modules)
    first = f'<script type="module" async src="{STARTS_WORKER}"></script>'
    script = f'<script type="module" src="{SCRIPT}">'
    changes = {
        " data-server>": ">",
        '<meta charset="utf-8">': f'<meta charset="utf-8">\n  {policy}\n  {first}',
        'href="api/metadata"': 'href="api/metadata.json"',
        script: f"{preloads}\n  {script}",
    }
    text = re.sub(r'  <link rel="modulepreload" href="[^"]+">\n', "", text)
    for old, new in changes.items():
        assert text.count(old) == 1, f"{PAGE} contains '{old}' once"
        text = text.replace(old, new)
    return text


def _file_list(written: dict[str, bytes]) -> bytes:
    """What the service worker stores, and a version that changes with any byte of it."""
    content = hashlib.sha256()
    for name in sorted(written):
        content.update(name.encode() + b"\0" + hashlib.sha256(written[name]).digest())
    site = {"version": content.hexdigest()[:16], "files": ["./", *sorted(written)]}
    return b"self.site = " + compact_json(site) + b";\n"


def _size(written: dict[str, bytes]) -> SiteSize:
    sizes = {name: len(gzip.compress(content, mtime=0)) for name, content in written.items()}
    return SiteSize(len(written), sum(sizes.values()), sum(n for name, n in sizes.items() if name not in LATER))
