"""The packages and their imports, and modules with at most one importer: the tables in docs/architecture.md.

`python tests/documents/architecture.py` writes both tables into the document again.
"""

import ast
import csv
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ketamech"
DOCUMENT = ROOT / "docs" / "architecture.md"
PACKAGES = (
    "core", "evidence", "parameters", "model", "engine", "dosing", "simulation", "population", "nonmem", "trials",
    "calibration", "analysis", "fitting", "exchange", "report", "app", "site", "cli",
)  # fmt: skip
BEGIN, END = "<!-- packages: written from the imports -->", "<!-- end of packages -->"
BEGIN_SINGLE, END_SINGLE = "<!-- modules with one importer: written from the imports -->", "<!-- end of modules -->"
REASONS = Path(__file__).with_name("single_importers.csv")


def module_of(path):
    """The dotted name of a source file."""
    parts = ("ketamech", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def imports(path, *, at_load_only=False):
    """Modules of the package that a file imports, also inside functions unless `at_load_only`."""
    found = set()

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if at_load_only and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                if not at_load_only:
                    visit(child)
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names if alias.name in MODULES)
            elif isinstance(child, ast.ImportFrom) and child.module and child.module.startswith("ketamech"):
                for alias in child.names:
                    full = f"{child.module}.{alias.name}"
                    found.add(full if full in MODULES else child.module)
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(found)


def package(module):
    """The package of a module; None for the face of KetaMech and its `__main__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in PACKAGES else None


def package_imports():
    """{package: packages that it imports}, in the order of the packages."""
    found = {name: set() for name in PACKAGES}
    for module, path in MODULES.items():
        if mine := package(module):
            found[mine] |= {package(other) for other in imports(path)} - {mine, None}
    return {name: sorted(found[name], key=PACKAGES.index) for name in PACKAGES}


def cycles():
    """Groups of modules that import one another when they are loaded (strongly connected components)."""
    graph = {m: {o for o in imports(p, at_load_only=True) if o != m} for m, p in MODULES.items()}
    index, low, stack, found = {}, {}, [], []

    def connect(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                connect(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            connect(node)
    return found


def drawing():
    """The packages from top to bottom with what each imports, as a Markdown table."""
    lines = ["| package | files | imports |", "|---|---:|---|"]
    for name, others in package_imports().items():
        count = sum(package(module) == name for module in MODULES)
        lines.append(f"| `{name}` | {count} | {', '.join(others) or 'nothing'} |")
    return "\n".join(lines)


def single_importers():
    """{module: its importer, or ""} of modules (without `ketamech.`) that at most one other module imports.

    Package files are left out. Imports by name, as of stages, are not counted.
    """
    importers = {module: set() for module in MODULES}
    for module, path in MODULES.items():
        for other in imports(path) - {module}:
            importers[other].add(module)
    single = {name: sorted(those) for name, those in importers.items() if len(those) <= 1}
    return {
        name.removeprefix("ketamech."): "".join(those).removeprefix("ketamech.")
        for name, those in single.items()
        if MODULES[name].name != "__init__.py"
    }


def reasons():
    """{module, or a pattern such as cli.*: why it is a file of its own}."""
    with REASONS.open(encoding="utf-8", newline="") as file:
        return {row["module"]: row["reason"] for row in csv.DictReader(file)}


def matching(pattern, modules):
    """The modules that a row is about."""
    return [name for name in modules if fnmatch(name, pattern)]


def single_importer_table():
    """Modules with at most one importer and the reason of each, as a Markdown table."""
    lines, single = ["| module | imported by | why it is a file of its own |", "|---|---|---|"], single_importers()
    for pattern, reason in reasons().items():
        users = sorted({single[name] for name in matching(pattern, single)} - {""})
        lines.append(f"| `{pattern}` | {', '.join(f'`{user}`' for user in users)} | {reason} |")
    return "\n".join(lines)


def written():
    """The document with the tables of today."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for begin, end, table in ((BEGIN, END, drawing()), (BEGIN_SINGLE, END_SINGLE, single_importer_table())):
        before, after = text.index(begin) + len(begin), text.index(end)
        text = f"{text[:before]}\n{table}\n{text[after:]}"
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(written(), encoding="utf-8")
