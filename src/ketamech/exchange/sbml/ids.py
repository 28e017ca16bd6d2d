"""Ids, formulas and units of a system in SBML.

Ids: `stage.name` is `stage__name`, `rest(stage.name)` is `rest__stage__name`, and the constant inflow into a state is
`inflow__stage__name`. Names have no double underscore, so that each id corresponds to one name.

Annotations of the quantities of the model are SBO terms, MIRIAM resources, and the papers of a value.
"""

from __future__ import annotations

import fnmatch
import re
from fractions import Fraction
from functools import cache

import sympy
from sympy.printing.precedence import precedence
from sympy.printing.str import StrPrinter

from ketamech.core import ModelError, unit
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.units import Dimensions
from ketamech.evidence import load_evidence
from ketamech.parameters import Parameter

_NAME = re.compile(r"(?:(?P<kind>rest|inflow)\((?P<inner>[\w.]+)\)|(?P<plain>[\w.]+))\Z", re.ASCII)
_WORD = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*\Z")
REST, INFLOW = "rest", "inflow"

# A base unit of KetaMech in SBML: (kind, multiplier, scale, SBML exponent per exponent).
# SBML has no unit for a rating point, a heart beat or a treatment session: they are counted items.
_KINDS: dict[str, tuple[str, float, int, Fraction]] = {
    "h": ("second", 3600.0, 0, Fraction(1)),
    "umol": ("mole", 1.0, -6, Fraction(1)),
    "kg": ("kilogram", 1.0, 0, Fraction(1)),
    "dm": ("litre", 1.0, 0, Fraction(1, 3)),
    "A": ("ampere", 1.0, 0, Fraction(1)),
    "mV": ("volt", 1.0, -3, Fraction(1)),
    "mmHg": ("pascal", 133.322387415, 0, Fraction(1)),
    "points": ("item", 1.0, 0, Fraction(1)),
    "beats": ("item", 1.0, 0, Fraction(1)),
    "sessions": ("item", 1.0, 0, Fraction(1)),
}


def sbml_id(name: str) -> str:
    """The SBML id of a state, output, parameter, rest(...) or inflow(...). Raises ModelError for an impossible name."""
    match = _NAME.match(name)
    qualified = (match["plain"] or match["inner"]) if match else ""
    parts = qualified.split(".")
    if not all(_WORD.match(part) for part in parts) or (len(parts) > 1 and parts[0] in (REST, INFLOW)):
        raise ModelError(f"'{name}' has no unique SBML id; use letters, digits and single underscores")
    return "__".join([match["kind"], *parts] if match and match["kind"] else parts)


def inflow(state: str) -> str:
    """The name of the constant inflow into a state, as a symbol of a formula."""
    return f"{INFLOW}({state})"


def inflow_id(state: str) -> str:
    """The id of the constant inflow into a state (state unit per h)."""
    return sbml_id(inflow(state))


def own_name(identifier: str) -> str:
    """The name of an SBML id; the state for the id of its inflow."""
    prefix, _, rest = identifier.partition("__")
    if prefix in (REST, INFLOW) and rest:
        name = rest.replace("__", ".")
        return f"rest({name})" if prefix == REST else name
    return identifier.replace("__", ".")


def formula(expression: sympy.Expr) -> str:
    """An expression in libSBML's L3 infix language, every name as its id."""
    return str(Formula().doprint(expression))


class Formula(StrPrinter):
    """Prints SymPy in L3 infix: ids, powers, natural logarithm, numbers with all digits."""

    def _print_Symbol(self, expr: sympy.Symbol) -> str:
        return sbml_id(expr.name)

    def _print_Float(self, expr: sympy.Float) -> str:
        return repr(float(expr))

    def _print_log(self, expr: sympy.Expr) -> str:
        return f"ln({self._print(expr.args[0])})"

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:
        if expr.exp == sympy.S.Half:
            return f"sqrt({self._print(expr.base)})"
        if expr.exp.is_Number and expr.exp.is_negative:
            return f"1/{self.parenthesize(1 / expr, precedence(expr))}"
        strict = precedence(expr)
        base, exponent = (self.parenthesize(part, strict, strict=False) for part in (expr.base, expr.exp))
        return f"{base}^{exponent}"


def unit_id(text: str) -> str:
    """Id of the canonical unit of the kind that `text` measures, e.g. `umol_per_L`."""
    dims = unit(text).dims
    return _unit_name(dims) if dims else "dimensionless"


def unit_parts(text: str) -> list[tuple[str, float, int, float]]:
    """The canonical unit of the kind that `text` measures as SBML units: (kind, multiplier, scale, exponent)."""
    parts = ((*_KINDS[name], power) for name, power in unit(text).dims)
    return [(kind, multiplier, scale, float(power * ratio)) for kind, multiplier, scale, ratio, power in parts]


def _unit_name(dims: Dimensions) -> str:
    powers = {("L" if name == "dm" else name): (p / 3 if name == "dm" else p) for name, p in dims}
    top = [_power(name, p) for name, p in sorted(powers.items()) if p > 0]
    bottom = [_power(name, -p) for name, p in sorted(powers.items()) if p < 0]
    return "_per_".join(["_".join(top) or "one", *bottom])


def _power(name: str, exponent: Fraction) -> str:
    exponent_text = str(exponent).replace("/", "_")
    return name if exponent == 1 else f"{name}{exponent_text}"


_TABLE = DATA / "exchange" / "annotations.csv"
FRAMEWORK, QUANTITY, AMOUNT, CONCENTRATION, EXPRESSION = 293, 2, 360, 196, 64  # SBO terms
Resource = tuple[str, str]  # biology qualifier, address


def sbo_term(unit_text: str) -> int:
    """The SBO term of a quantity, by its unit."""
    dims = unit(unit_text).dims
    if dims == unit("umol").dims:
        return AMOUNT
    return CONCENTRATION if dims == unit("umol/L").dims else QUANTITY


def resources_of(name: str) -> list[Resource]:
    """MIRIAM resources of a state, an output or a species (species.rat)."""
    return [
        (qualifier, address) for pattern, qualifier, address in _annotation_rows() if fnmatch.fnmatchcase(name, pattern)
    ]


def papers_of(row: Parameter) -> list[Resource]:
    """The papers behind a value that have a DOI or a PubMed number."""
    evidence = load_evidence()
    papers = evidence.cite([evidence_id for evidence_id in row.evidence if evidence_id in evidence.observations])
    identifiers = [
        f"doi:{paper.doi}" if paper.doi else f"pubmed:{paper.pmid}" for paper in papers if paper.doi or paper.pmid
    ]
    return [("isDescribedBy", f"https://identifiers.org/{identifier}") for identifier in identifiers]


@cache
def _annotation_rows() -> tuple[tuple[str, str, str], ...]:
    rows = read_table(_TABLE, ("name", "qualifier", "resource", "why"))
    return tuple((row["name"], row["qualifier"], f"https://identifiers.org/{row['resource']}") for row in rows)
