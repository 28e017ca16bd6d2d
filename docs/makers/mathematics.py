"""An expression of the model as MathML, which browsers draw themselves: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import sympy

LONG = 1000  # characters of text beyond which an expression is listed, not drawn
SMALL = {sympy.exp: "exp", sympy.log: "ln"}


def mathml(expression: sympy.Expr, names: Mapping[str, str], own: str) -> str:
    """Presentation MathML; `names` says what a name is (state, offer, parameter), `own` which stage it stands in."""
    return f'<math displaystyle="true">{_Writer(names, own).of(expression)}</math>'


class _Writer:
    def __init__(self, names: Mapping[str, str], own: str) -> None:
        self.names, self.own = names, own

    def of(self, item: sympy.Expr) -> str:
        if isinstance(item, sympy.Symbol):
            return self.name(item.name)
        if isinstance(item, sympy.Number):
            return self.number(item)
        if isinstance(item, sympy.Add):
            return self.sum(item)
        if isinstance(item, sympy.Mul):
            return self.product(item)
        if isinstance(item, sympy.Pow):
            return self.power(item)
        return self.function(item)

    def name(self, name: str) -> str:
        if name.startswith("rest("):
            return f"<msub>{self.name(name[5:-1])}<mtext>rest</mtext></msub>"
        shown = name.removeprefix(f"{self.own}.")
        kind = self.names.get(name, "parameter") if shown != name or name not in self.names else "other"
        return f'<mi class="{kind}">{escape(shown)}</mi>'

    def number(self, item: sympy.Number) -> str:
        if isinstance(item, sympy.Rational) and not isinstance(item, sympy.Integer):
            return f"<mfrac><mn>{item.p}</mn><mn>{item.q}</mn></mfrac>"
        return f"<mn>{item}</mn>"

    def sum(self, item: sympy.Add) -> str:
        parts = []
        for term in sorted(item.as_ordered_terms(), key=lambda t: t.could_extract_minus_sign()):
            negative = term.could_extract_minus_sign()
            sign = "−" if negative else "+" if parts else ""
            parts.append((f"<mo>{sign}</mo>" if sign else "") + self.of(-term if negative else term))
        return f"<mrow>{''.join(parts)}</mrow>"

    def product(self, item: sympy.Mul) -> str:
        if item.could_extract_minus_sign():
            return f"<mrow><mo>−</mo>{self.factor(-item)}</mrow>"
        top, bottom = sympy.fraction(item)
        if bottom != 1:
            return f"<mfrac>{self.of(top)}{self.of(bottom)}</mfrac>"
        return f"<mrow>{'<mo>·</mo>'.join(self.factor(part) for part in item.as_ordered_factors())}</mrow>"

    def factor(self, item: sympy.Expr) -> str:
        return self.fenced(item) if isinstance(item, sympy.Add) else self.of(item)

    def fenced(self, item: sympy.Expr) -> str:
        return f"<mrow><mo>(</mo>{self.of(item)}<mo>)</mo></mrow>"

    def power(self, item: sympy.Pow) -> str:
        base, exponent = item.args
        if exponent == sympy.Rational(1, 2):
            return f"<msqrt>{self.of(base)}</msqrt>"
        if exponent.could_extract_minus_sign():
            return f"<mfrac><mn>1</mn>{self.of(base**-exponent)}</mfrac>"
        inner = self.of(base) if isinstance(base, sympy.Symbol | sympy.Number) else self.fenced(base)
        return f"<msup>{inner}{self.of(exponent)}</msup>"

    def function(self, item: sympy.Expr) -> str:
        name = SMALL.get(item.func, item.func.__name__)
        inside = "<mo>,</mo>".join(self.of(part) for part in item.args)
        return f"<mrow><mi>{name}</mi><mo>(</mo>{inside}<mo>)</mo></mrow>"
