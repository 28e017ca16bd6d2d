"""Rosenbrock methods as tables, and the blocks that carry out one step of them for every lane.

Each stage solves (1/(h gamma) - J) k_i = f(y + sum a_ij k_j) + sum c_ij/h k_j, the form of Hairer and Wanner, Solving
Ordinary Differential Equations II, 2nd edition, section IV.7, in which no product with J is needed. Between two events
nothing depends on time, so there is no derivative by time. The methods here are stiffly accurate: the last stage is
the estimate of the error, and the new state is its argument plus it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ketamech.engine.instructions import Block, Call, Loop, Op, Operand, Place

SAFETY = 0.9


@dataclass(frozen=True)
class Method:
    """Coefficients: `arguments` a_ij and `carried` c_ij by stage; a row None means: the last argument plus the last k.

    `dense` rows d_m give y(theta) = (1 - theta) y0 + theta (y1 + (1 - theta) (D_1 + theta (D_2 + ...))), D_m = sum d_mj k_j.
    """

    name: str
    order: int
    gamma: float
    arguments: tuple[tuple[float, ...] | None, ...]
    carried: tuple[tuple[float, ...], ...]
    dense: tuple[tuple[float, ...], ...]

    @property
    def stages(self) -> int:
        """How many linear solves a step takes."""
        return len(self.arguments)


RODAS4 = Method(  # Hairer and Wanner, section IV.10
    "Rodas4",
    order=4,
    gamma=0.25,
    arguments=(
        (),
        (1.544,),
        (0.9466785280815826, 0.2557011698983284),
        (3.314825187068521, 2.896124015972201, 0.9986419139977817),
        (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
        None,
    ),
    carried=(
        (),
        (-5.6688,),
        (-2.430093356833875, -0.2063599157091915),
        (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
        (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
        (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
    ),
    dense=(
        (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662),
        (-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872),
    ),
)


def step_blocks(method: Method, scales: Sequence[float]) -> list[Block]:
    """`attempt` (one step of every lane), `accept` (keep it where ACCEPT is set) and `glimpse` (outputs at THETA).

    The state is in Y, constant inputs in G; U ends as the new state, ERROR as the weighted root mean square of the
    embedded error over the tolerance; 1/h is in SPEED, 1/(h gamma) in SHIFT. `scales` are added to the size of a state.
    """
    n = len(scales)
    body: list[Op | Loop | Call] = [Call("jacobian"), Call("factorise")]
    for stage in range(method.stages):
        body.append(Loop(n, tuple(_argument(method, stage))))
        body.append(Call("rates"))
        body.append(Loop(n, tuple(_right_side(method, stage))))
        body.append(Call("substitute", f"K{stage + 1}"))
    last = Place(f"K{method.stages}")
    body.append(Loop(n, (Op(Place("U"), "add", (Place("U"), last)),)))
    body += _error(method.stages, scales)
    body += _growth(method.order)
    keep = Op(Place("Y"), "if_zero", (Place("ACCEPT", 0), Place("Y"), Place("U")))
    return [
        Block("attempt", tuple(body)),
        Block("accept", (Loop(n, (keep,)),)),
        Block("glimpse", (*_dense(method, n), Call("observe"))),
    ]


def _argument(method: Method, stage: int) -> list[Op]:
    row = method.arguments[stage]
    if row is None:
        return [Op(Place("U"), "add", (Place("U"), Place(f"K{stage}")))]
    return _combination(Place("Y"), row, Place("U"))


def _right_side(method: Method, stage: int) -> list[Op]:
    target = Place(f"K{stage + 1}")
    flow = Op("flow", "add", (Place("F"), Place("G")))
    row = method.carried[stage]
    if not row:
        return [flow, Op(target, "copy", ("flow",))]
    carried = _combination(None, row, "carried")
    return [flow, *carried, Op(target, "fma", ("carried", Place("SPEED", 0), "flow"))]


def _combination(start: Operand | None, weights: Sequence[float], target: Place | str) -> list[Op]:
    """target = start + sum of weights times k_1, k_2, ..."""
    terms: list[tuple[float, Operand]] = [(w, Place(f"K{j + 1}")) for j, w in enumerate(weights)]
    if not terms:
        assert start is not None
        return [Op(target, "copy", (start,))]
    ops, total = list[Op](), start
    for i, (weight, k) in enumerate(terms):
        result = target if i == len(terms) - 1 else f"{target}sum{i}" if isinstance(target, str) else f"sum{i}"
        ops.append(Op(result, "mul", (weight, k)) if total is None else Op(result, "fma", (weight, k, total)))
        total = result
    return ops


def _error(stages: int, scales: Sequence[float]) -> list[Op]:
    """Two states share one division: (a/v)^2 + (b/w)^2 = ((a w)^2 + (b v)^2) / (v w)^2."""
    ops, total = list[Op](), "none"
    for i, scale in enumerate(scales):
        y, u = Place("Y", i), Place("U", i)
        ops += [Op(f"y{i}", "abs", (y,)), Op(f"u{i}", "abs", (u,)), Op(f"m{i}", "max", (f"y{i}", f"u{i}"))]
        ops.append(Op(f"w{i}", "add", (f"m{i}", scale)))
    k = f"K{stages}"
    for i in range(0, len(scales), 2):
        if i + 1 < len(scales):
            ops += [
                Op(f"a{i}", "mul", (Place(k, i), f"w{i + 1}")),
                Op(f"b{i}", "mul", (Place(k, i + 1), f"w{i}")),
                Op(f"v{i}", "mul", (f"w{i}", f"w{i + 1}")),
                Op(f"s{i}", "mul", (f"a{i}", f"a{i}")),
                Op(f"top{i}", "fma", (f"b{i}", f"b{i}", f"s{i}")),
                Op(f"below{i}", "mul", (f"v{i}", f"v{i}")),
            ]
        else:
            ops += [
                Op(f"top{i}", "mul", (Place(k, i), Place(k, i))),
                Op(f"below{i}", "mul", (f"w{i}", f"w{i}")),
            ]
        ops.append(Op(f"part{i}", "div", (f"top{i}", f"below{i}")))
        ops.append(Op(f"total{i}", "copy" if i == 0 else "add", (f"part{i}",) if i == 0 else (total, f"part{i}")))
        total = f"total{i}"
    ops.append(Op("mean", "mul", (total, 1.0 / len(scales))))
    ops.append(Op("root", "sqrt", ("mean",)))
    return [*ops, Op(Place("ERROR", 0), "div", ("root", Place("TOLERANCE", 0)))]


def _growth(order: int) -> list[Op]:
    """By how much the step could grow: SAFETY times the error to the power -1/order."""
    return [
        Op("logarithm", "log", (Place("ERROR", 0),)),
        Op("power", "mul", ("logarithm", -1.0 / order)),
        Op("factor", "exp", ("power",)),
        Op(Place("GROWTH", 0), "mul", (SAFETY, "factor")),
    ]


def _dense(method: Method, n: int) -> list[Op | Loop]:
    """The state at a fraction THETA of the step in V; exactly Y where THETA is 0, whatever the step holds."""
    theta = Place("THETA", 0)
    ops = list[Op]()
    for m, row in enumerate(method.dense):
        ops += _combination(None, row, f"D{m}")
    total = f"D{len(method.dense) - 1}"
    for m in reversed(range(len(method.dense) - 1)):
        ops.append(Op(f"inner{m}", "fma", (theta, total, f"D{m}")))
        total = f"inner{m}"
    ops += [
        Op("bent", "fma", ("rest", total, Place("U"))),
        Op("end", "mul", (theta, "bent")),
        Op("there", "fma", ("rest", Place("Y"), "end")),
        Op(Place("V"), "if_zero", (theta, Place("Y"), "there")),
    ]
    return [Op("rest", "sub", (1.0, theta)), Loop(n, tuple(ops))]
