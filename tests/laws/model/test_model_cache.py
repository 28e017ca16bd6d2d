"""What is kept of the whole story: found again, made anew when damaged or when anything it rests on changes."""

import errno
import os
import pickle
from dataclasses import replace

import pytest

from ketamech.core.atomic_files import atomic_write_checksummed, read_checksummed
from ketamech.model import cache
from ketamech.model.cache import cached_expression_trees, cached_layout
from ketamech.model.expression_tree import ExpressionTrees, expression_trees_of, live_names
from ketamech.parameters.load_parameters import ParameterTable
from ketamech.simulation.model import load_model
from toy_models import TABLE, Value, kinetics, response


def refuse():
    raise AssertionError("the system was built although it was kept")


def test_a_stored_layout_is_not_built_again(folder, system):
    first = cached_layout(TABLE, lambda: system), cached_expression_trees(TABLE, lambda: system)
    assert first == (system.layout, expression_trees_of(system))
    assert (cached_layout(TABLE, refuse), cached_expression_trees(TABLE, refuse)) == first
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize(
    "damage", [lambda text: text[: len(text) // 2], lambda text: text.replace("umol", "mmol"), str]
)
def test_a_damaged_file_is_computed_again(damage, folder, system):
    cached_layout(TABLE, lambda: system)
    (path,) = folder.rglob("*.layout.json")
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert cached_layout(TABLE, lambda: system) == system.layout
    assert cached_layout(TABLE, refuse) == system.layout


def test_a_checksummed_text_that_is_no_layout_is_computed_again(folder, system):
    cached_layout(TABLE, lambda: system)
    (path,) = folder.rglob("*.layout.json")
    atomic_write_checksummed(path, "{}")
    assert cached_layout(TABLE, lambda: system) == system.layout


def test_a_full_disk_costs_time_only(folder, system, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert cached_layout(TABLE, lambda: system) == system.layout
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_another_unit_or_another_source_is_another_system(folder, monkeypatch):
    before = cache.cache_key(TABLE)
    assert cache.cache_key(TABLE | {"toy.delay": Value(5.0, "1/min")}) != before
    assert cache.cache_key(TABLE | {"toy.delay": Value(6.0, "1/h")}) == before
    monkeypatch.setattr(cache, "SOURCE_PATTERNS", (*cache.SOURCE_PATTERNS, "simulation/model.py"))
    assert cache.cache_key(TABLE) != before


def test_every_stage_is_a_source_of_the_cache_key():
    from ketamech.core.environment import PACKAGE
    from ketamech.model.stages import STAGES

    found = {path.stem for pattern in cache.SOURCE_PATTERNS for path in PACKAGE.glob(pattern)}
    assert set(STAGES) <= found


def test_a_seal_breaks_with_any_letter(tmp_path):
    atomic_write_checksummed(tmp_path / "a", "one\ntwo")
    assert read_checksummed(tmp_path / "a") == "one\ntwo"
    (tmp_path / "a").write_text((tmp_path / "a").read_text(encoding="utf-8") + "\n")
    assert read_checksummed(tmp_path / "a") is None
    assert read_checksummed(tmp_path / "absent") is None


def test_an_outline_written_and_read_is_the_same(system):
    found = expression_trees_of(system)
    assert ExpressionTrees.from_json(found.to_json()) == found
    assert [name for name, _ in found.stages] == ["kinetics", "response"]
    with pytest.raises(ValueError, match="no expression trees"):
        ExpressionTrees.from_json("{}")


@pytest.mark.parametrize(
    ("tree", "left"),
    [
        (["*", "zero", "a"], ""),
        (["+", ["*", -1.0, "zero"], "a"], "a"),
        (["+", "zero", ["*", "b", ["^", "zero", 2.0]]], ""),
        (["*", "a", ["exp", "zero"], ["^", "b", "zero"]], "a"),
        (["hill", "zero", "a", "b"], ""),
        (["*", "c", ["hill", "a", "b", 2.0]], "abc"),
        (["*", "c", ["log", ["+", "zero", 1.0]]], ""),
    ],
)
def test_what_is_multiplied_by_zero_does_not_count(tree, left):
    assert live_names(tree, {"zero"}) == frozenset(left)


NOT_GIVEN = ("pharmacokinetics", "brain", "memantine", "other_treatments", "expectancy", "opioid")


def test_outlines_drop_the_same_names_as_sympy(model):
    """The second road: SymPy with zeros put in. What a stage holds is 0, and so is every switch.

    SymPy also sees that x - x is 0: a name more is left there, never one less.
    """
    import sympy

    from ketamech.model.functions import hill
    from ketamech.model.stage import symbol

    switches = {n for n in model.layout.parameter_names if n.startswith(("pathway.", "perturbation."))}
    for stage in dict.fromkeys(model.layout.stage_of.values()):
        zero = switches | {name for name, owner in model.layout.stage_of.items() if owner == stage}
        put_in = {symbol(name): sympy.Integer(0) for name in zero}
        for (state, term), flux in zip(model.expression_trees.fluxes, model.system.fluxes, strict=True):
            expected = flux.term.xreplace(put_in)
            expected = expected.replace(lambda e: isinstance(e, hill) and e.args[0] == 0, lambda e: sympy.Integer(0))
            found, due = live_names(term, zero), {leaf.name for leaf in expected.free_symbols}
            assert found == due if stage in NOT_GIVEN else found >= due, (state, flux.term)


def test_another_stage_and_a_pickle_keep_what_the_equations_do_not_say():
    built = load_model(ParameterTable(TABLE), (kinetics,))
    aliases = {"gut": "kinetics.central"}
    model = replace(built, variant="reduced-core", state_aliases=aliases, max_steps=100)
    for other in (model.with_stage(response), pickle.loads(pickle.dumps(model))):
        assert (other.variant, other.state_aliases, other.max_steps) == ("reduced-core", aliases, 100)
