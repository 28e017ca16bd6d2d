"""Writes the static site: its pages, the compiled model, and every answer that the pages read from a file.

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
from ketamech.app.browser.engine_files import ENGINE_FILES, engine_file
from ketamech.app.browser.model_tables import PEOPLE
from ketamech.app.job_tasks import scorecard_work
from ketamech.app.responses import as_json
from ketamech.app.routes.evidence import chain_of, claim_result, claims_of, comparison_basis, evidence_row, stage_page
from ketamech.app.routes.exercises import answers, lesson_parts
from ketamech.app.routes.metadata import metadata_of
from ketamech.app.security_middleware import WASM_POLICY
from ketamech.app.server import STATIC

STORY = "index.html"
PAGES = {STORY: "js/story.js", "workbench.html": "js/workbench.js", "exercises.html": "js/exercises.js"}  # and script
WORKER = ("engine/worker.js", "engine/answers.js", "simulate.js")  # others are found by their imports
CHOSEN = (".js", ".html")  # scripts and pages are chosen, other static files copied
LATER = (  # read after the first figure of the story, with the scripts of the other pages
    "api/evidence.json", "api/claims.json", "api/claim-results.json", "api/chain.json", "api/exercises.json",
    "api/lesson.json", "api/comparison.json", "api/scorecard.json", "engine/endpoints.json", "engine/outputs.json",
    "engine/people.bin", "engine/people.json", "engine/published.json", "engine/files.json", "files.js",
    "service-worker.js", "workbench.css", "exercises.css",
)  # fmt: skip
STAGES, OPENED = "api/stages/", "files/"  # the readers of opened files are loaded with the first of them
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
    announce("Simulating the experiments of the claims, the exercises and the scorecard ...")
    written |= _evidence_files(app_state) | _workbench_files(app_state)
    for name in _static_files():
        written[name] = (STATIC / name).read_bytes()
    written |= {page: _page(page).encode() for page in PAGES}
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
    evidence = app_state.evidence.observations.values()
    rows = [{**evidence_row(row, app_state), "locator": row.locator} for row in evidence]  # the locator is searched
    results = {name: claim_result(app_state, name).model_dump(mode="json") for name in claims}
    files = {"claims": claims, "claim-results": results, "evidence": rows}
    return {f"api/{name}.json": as_json(content) for name, content in files.items()}


def _workbench_files(app_state: AppState) -> dict[str, bytes]:
    """The chain of stages, each stage with its equations and sources, the scorecard, the exercises and the lesson."""
    names = [stage.name for stage in app_state.model.system.stages]
    stages = {f"{STAGES}{name}.json": as_json(stage_page(app_state, name)) for name in names}
    others = {
        "chain": chain_of(app_state),
        "scorecard": scorecard_work(app_state)(lambda fraction, message: None),
        "exercises": answers(app_state),
        "comparison": comparison_basis(app_state).model_dump(mode="json"),
        "lesson": [part.model_dump() for part in lesson_parts()],
    }
    return stages | {f"api/{name}.json": as_json(content) for name, content in others.items()}


def _static_files() -> list[str]:
    """The modules of the pages and of the worker, and the other static files, by their path in the static folder."""
    others = (path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
    copied = (name for name in others if not name.endswith(CHOSEN))
    return sorted({*_modules(*PAGES.values(), *WORKER), "service-worker.js", *copied})


def _modules(*entry_points: str) -> set[str]:
    """Modules and those that they import, also in their turn."""
    modules, waiting = set[str](), list(entry_points)
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        modules.add(name)
        for match in _IMPORT.finditer((STATIC / name).read_text(encoding="utf-8")):
            imported = (STATIC / name).parent / (match[1] or match[2])
            waiting.append(imported.resolve().relative_to(STATIC.resolve()).as_posix())
    return modules


def _page(name: str) -> str:
    """A page as a static page: it asks its own workers, and its policy is in the page."""
    text = (STATIC / name).read_text(encoding="utf-8")
    policy = f'<meta http-equiv="content-security-policy" content="{WASM_POLICY}">'
    changes = {
        '<html lang="en"': '<html lang="en" data-static',
        '<meta charset="utf-8">': f'<meta charset="utf-8">\n  {policy}',
    }
    text = text.replace('href="api/metadata"', 'href="api/metadata.json"')
    for old, new in changes.items():
        assert text.count(old) == 1, f"{name} contains '{old}' once"
        text = text.replace(old, new)
    return text


def _file_list(written: dict[str, bytes]) -> bytes:
    """What the service worker stores, and a version that changes with any byte of it."""
    content = hashlib.sha256()
    for name in sorted(written):
        content.update(name.encode() + b"\0" + hashlib.sha256(written[name]).digest())
    site = {"version": content.hexdigest()[:16], "files": ["./", *sorted(written)]}
    return b"self.site = " + as_json(site) + b";\n"


def _size(written: dict[str, bytes]) -> SiteSize:
    sizes = {name: len(gzip.compress(content, mtime=0)) for name, content in written.items()}
    own = _modules(PAGES[STORY], *WORKER)
    others = {*LATER, *PAGES, *_modules(*PAGES.values())} - own - {STORY}
    first = sum(size for name, size in sizes.items() if name not in others and not name.startswith((STAGES, OPENED)))
    return SiteSize(len(written), sum(sizes.values()), first)
