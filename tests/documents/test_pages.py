"""Pages hang together: links lead somewhere, every page is reached, what is made says what the model holds."""

import re
import subprocess
import sys
from urllib.parse import unquote

import pytest
from document_texts import ROOT, documents

TEXTS = documents()
LINK = re.compile(r"(?<!`)\[[^\]\[]*\]\(([^)\s]+)\)|<a href=\"([^\"]+)\"")


def slug(heading):
    """The anchor that GitHub and the site give a heading."""
    text = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def links():
    for name, text in TEXTS.items():
        plain = re.sub(r"```.*?```|``[^`]*``|`[^`\n]*`(?!\])", "", text, flags=re.S)
        for plain_link, raw in LINK.findall(plain):
            target = plain_link or raw
            if not re.match(r"[a-z]+:", target):
                yield name, unquote(target)


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_of_a_page_leads_somewhere(name):
    bad = []
    for target in (target for page, target in links() if page == name):
        path, _, anchor = target.partition("#")
        there = (ROOT / name).parent / path if path else ROOT / name
        made = "made/" in path or path.endswith(".ipynb")  # written when the site is built; checked by the build
        if not made and not there.exists():
            bad.append(target)
        elif not made and anchor and there.suffix == ".md":
            text = there.read_text(encoding="utf-8")
            headings = {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, flags=re.M)}
            bad += [] if anchor in headings | set(re.findall(r'id="([^"]+)"', text)) else [target]
    assert bad == []


def test_the_site_builds_without_a_warning(tmp_path):
    """Every page is in a table of contents, every reference is found, nothing is fetched by the reader."""
    pytest.importorskip("furo")
    settings = ["-q", "-W", "--keep-going", "-D", "nb_execution_mode=off", "-d", str(tmp_path / "trees")]
    line = [sys.executable, "-m", "sphinx", *settings, str(ROOT / "docs"), str(tmp_path / "out")]
    found = subprocess.run(line, capture_output=True, encoding="utf-8", timeout=240)
    assert found.returncode == 0, found.stderr[-4000:]
    for page in (tmp_path / "out").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(script|img|link|iframe)[^>]+(src|href)="(https?:)?//', text), page
        assert "not treatment or dosing advice" in text


def scenarios():
    """(page, text) of every scenario file that stands in a page."""
    for name, text in TEXTS.items():
        yield from (
            (name, block) for block in re.findall(r"```yaml\n(.*?)```", text, flags=re.S) if "treatments:" in block
        )


@pytest.mark.parametrize(("name", "block"), list(scenarios()))
def test_a_scenario_in_a_page_loads(name, block, tmp_path):
    from ketamech.simulation.load_scenario import load_scenario

    path = tmp_path / "scenario.yaml"
    path.write_text(block if "title:" in block else f"title: x\n{block}", encoding="utf-8")
    assert load_scenario(path).horizon > 0


def test_theory_shows_every_flux_value_and_output(model):
    from makers.quantities import quantity_pages
    from makers.theory import theory_pages

    pages = theory_pages(model.system)
    for stage in model.system.stages:
        page = pages[f"theory/{stage.name}"]
        for flux in stage.fluxes:
            assert flux.because in page
        for name in (*stage.used_parameters, *stage.states):
            assert f"`{name}`" in page, name
    outputs = quantity_pages(model.system)["reference/outputs"]
    assert all(f"`{name}`" in outputs for name in model.system.output_names)


def test_the_drawing_of_the_chain_has_every_stage_and_every_reader(model):
    from makers.chain import layers, readers
    from makers.theory import theory_pages

    drawing = theory_pages(model.system)["theory/order"]
    assert all(f"made/theory/{stage.name}.html" in drawing for stage in model.system.stages)
    reads, layer = readers(model.system), layers(model.system)
    assert drawing.count("<path") == sum(map(len, reads.values()))
    assert all(
        source in reads[name] for source, name in (("brain", "nmda"), ("nmda", "circuit"), ("glutamate", "ampa"))
    )
    assert layer["pharmacokinetics"] < layer["nmda"] < layer["plasticity"] < layer["mood"]


def test_an_equation_is_drawn_as_it_is():
    import sympy
    from makers.mathematics import mathml

    a, b, k = (sympy.Symbol(name, real=True) for name in ("x.a", "y.b", "x.k"))
    kinds = {"x.a": "state", "y.b": "state", "x.k": "parameter"}
    drawn = mathml(-k * (1 - a) / b, kinds, "x")
    assert drawn.count("<mfrac>") == 1
    assert '<mi class="parameter">k</mi>' in drawn
    assert '<mi class="other">y.b</mi>' in drawn
    assert "<mo>−</mo>" in drawn


def test_every_public_name_is_in_the_python_reference():
    from makers.interface import PAGES, interface_pages

    import ketamech

    pages = interface_pages()
    for name in ketamech.__all__:
        assert re.search(rf"{{py:(function|class)}} {name}\b", pages["reference/python/ketamech"])
    for package in PAGES:
        assert pages[f"reference/python/{package}"].count("{py:") > 3
    classes = re.findall(r"{py:class} (\w+)", "".join(pages.values()))
    assert sorted(set(classes)) == sorted(classes), "a class that is described twice"
