"""Code blocks that advance every lane: one step of a Rosenbrock method, or one correction towards a steady state.

Each stage of a Rosenbrock method solves (1/(h gamma) - J) k_i = f(y + sum a_ij k_j) + sum c_ij/h k_j, the form of
Hairer and Wanner, Solving Ordinary Differential Equations II, 2nd edition, section IV.7, which needs no product with J.
Between two events the equations are autonomous, so there is no time derivative. The methods here are stiffly accurate:
the last stage is the error estimate, and the new state is its argument plus it.

The steady state is found by implicit steps of growing length (pseudo-transient Newton): `relax` computes one correction
for every lane and its size, `move` applies it with damping. The step length and the criterion of convergence are in
`steady_state_loop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.engine.codegen.differentiate import tangent_block
from ketamech.engine.codegen.ir import BasicBlock, Call, Instruction, Loop, Operand, Slot


def newton_blocks(
    scales: Sequence[float], tangents: int = 0, active: Sequence[int] | None = None, *, masked: bool = False
) -> list[BasicBlock]:
    """`relax`: F = (SHIFT - J)^-1 f(Y), ERROR = its size in units of each state's own; `move`: Y += DAMP F.

    `active` and `masked` as in `step_blocks`.
    """
    n = len(scales)
    ops = list[Instruction]()
    for i, scale in enumerate(scales):
        ops += [
            Instruction(f"y{i}", "abs", (Slot("Y", i),)),
            Instruction(f"w{i}", "add", (f"y{i}", scale)),
            Instruction(f"p{i}", "div", (Slot("F", i), f"w{i}")),
            *_square(i, masked=masked),
        ]
    total = f"total{n - 1}"
    start = Loop(n, (Instruction(Slot("U"), "copy", (Slot("Y"),)), Instruction(Slot("F"), "copy", (0.0,))))
    update = Loop(n, (Instruction(Slot("Y"), "fma", (Slot("DAMP", 0), Slot("F"), Slot("Y"))),))
    solve: Code = [start, Call("linearise"), Call("stage", "F")]
    solve += _calls(tangents, Call("start_tangent"), Call("stage_tangent", "F"))
    blocks = [
        BasicBlock("relax", (*solve, *ops, Instruction(Slot("ERROR", 0), "sqrt", (total,)))),
        BasicBlock("move", (update, *_calls(tangents, Call("move_tangent")))),
    ]
    if tangents:
        rows = range(n) if active is None else active
        blocks.append(tangent_block("start_tangent", _loops(rows, start.body)))
        blocks.append(tangent_block("move_tangent", _loops(rows, update.body)))
    return blocks


def _loops(rows: Sequence[int], body: Sequence[Instruction]) -> list[Loop]:
    """The same instructions for these rows (rising): a loop for each stretch of neighbours."""
    starts = [i for i, row in enumerate(rows) if i == 0 or row != rows[i - 1] + 1]
    return [Loop(j - i, tuple(body), rows[i]) for i, j in zip(starts, [*starts[1:], len(rows)], strict=True)]


def _calls(tangents: int, *calls: Call) -> list[Call]:
    """The calls of tangents, for each of their directions."""
    return [call._replace(tangent=k) for k in range(1, 1 + tangents) for call in calls]


SAFETY = 0.9
ROUNDING = 1e-12  # relative size below which a weight of a power is rounding error
DENORMAL_CUTOFF = (
    1e-40  # smaller numbers become 0, because denormal numbers of an eliminated drug slow the processor down
)


@dataclass(frozen=True)
class RosenbrockTableau:
    """Coefficients: `arguments` a_ij and `error_weights` c_ij by stage; None is the last argument plus the last k.

    `dense` rows d_m give y(theta) = (1 - theta) y0 + theta (y1 + (1 - theta) (D_1 + theta (D_2 + ...))) with D_m = sum
    d_mj k_j.
    """

    name: str
    order: int
    gamma: float
    arguments: tuple[tuple[float, ...] | None, ...]
    error_weights: tuple[tuple[float, ...], ...]
    dense: tuple[tuple[float, ...], ...]

    @property
    def stages(self) -> int:
        """Number of linear solves per step."""
        return len(self.arguments)


RODAS5P = RosenbrockTableau(  # Steinebach, BIT Numerical Mathematics 63:27 (2023), doi 10.1007/s10543-023-00967-x
    "Rodas5P",
    order=5,
    gamma=0.21193756319429014,
    arguments=(
        (),
        (3.0,),
        (2.849394379747939, 0.45842242204463923),
        (-6.954028509809101, 2.489845061869568, -10.358996098473584),
        (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
        (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946),
        None,
        None,
    ),
    error_weights=(
        (),
        (-14.155112264123755,),
        (-17.97296035885952, -2.859693295451294),
        (147.12150275711716, -1.41221402718213, 71.68940251302358),
        (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
        (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
        (
            30.91273214028599, -3.1208243349937974, 77.79954646070892,
            34.28646028294783, -19.097331116725623, -28.087943162872662,
        ),
        (
            37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047,
            -40.06618937091002, -54.66780262877968, -9.48861652309627,
        ),
    ),
    dense=(
        (
            25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204,
            0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493,
        ),
        (
            -9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796,
            20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372,
        ),
        (
            11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834622643,
            -52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722,
        ),
    ),
)  # fmt: skip


def _square(i: int, *, masked: bool) -> list[Instruction]:
    """Add the square of p{i} to the total; nothing where the state is left out of the error."""
    masking = [Instruction(f"p{i}", "if_zero", (Slot("LEFT_OUT", i), f"p{i}", 0.0))] if masked else []
    square = (f"p{i}", f"p{i}") if i == 0 else (f"p{i}", f"p{i}", f"total{i - 1}")
    return [*masking, Instruction(f"total{i}", "mul" if i == 0 else "fma", square)]


def step_blocks(
    method: RosenbrockTableau, scales: Sequence[float], count: int | None = None, tangents: int = 0,
    active: Sequence[int] | None = None, *, masked: bool = False, linear: bool = False,
) -> list[BasicBlock]:  # fmt: skip
    """`attempt` (one step of every lane), `accept` (keep it where ACCEPT is set) and `interpolate` (outputs at THETA).

    The state is in Y, constant inputs in G; U is the new state, ERROR the weighted root mean square of the embedded
    error over the tolerance; 1/h is in SPEED, 1/(h gamma) in SHIFT. `scales` are added to the size of a state. The mean
    is over `count` states (default: those present); others count as 0. With `masked`, so do states whose LEFT_OUT is
    not 0. The error and the size of a step have no `tangents`: those of a step are the derivatives of a step of fixed
    size. Only the states `active` (default: all) have tangents. `linear`: the Jacobian is constant.
    """
    n = len(scales)
    rows = range(n) if active is None else active
    body: Code = [Call("linearise")]
    blocks = list[BasicBlock]()
    if tangents and linear:  # where the length of a step has a tangent, it is part of that of the Jacobian
        body += _calls(tangents, *(Call(name, limit="STRETCHED") for name in ("linearise_tangent", "shift_tangent")))
    for stage in range(method.stages):
        body += [Loop(n, tuple(_start_stage(method, stage))), Call("stage", f"K{stage + 1}")]
        if tangents and not (linear and stage):
            values, calls, more = _first_power_tangents(rows) if linear else _stage_tangents(method, rows, stage)
            body, blocks = [*body, *values, *_calls(tangents, *calls)], [*blocks, *more]
    end = Loop(n, (Instruction(Slot("U"), "add", (Slot("U"), Slot(f"K{method.stages}"))),))
    body.append(end)
    dense = _dense(method.dense, range(n))
    if tangents:
        values, calls, more = _power_tangents(method, rows) if linear else _end_tangents(rows, end)
        body, blocks = [*body, *values, *_calls(tangents, *calls)], [*blocks, *more]
        tangent_dense = _power_dense(method, rows) if linear else _dense(method.dense, rows)
        blocks.append(tangent_block("dense_tangent", tangent_dense, ("THETA", "SPEED")))
        blocks.append(tangent_block("dense_stretch_tangent", tangent_dense))  # where THETA has a tangent
        blocks.append(BasicBlock("keep_tangent", tuple(_loops(rows, _keep(1))), relative=True))
    body += _error(method.stages, scales, count or n, masked=masked)
    body += _growth(method.order)
    dense_calls = _calls(tangents, Call("dense_tangent"), Call("dense_stretch_tangent", limit="STRETCHED"))
    return [
        *blocks,
        BasicBlock("attempt", tuple(body)),
        BasicBlock("accept", (Loop(n, tuple(_keep(0))), *_calls(tangents, Call("keep_tangent")))),
        BasicBlock("interpolate", (*dense, *dense_calls, Call("observe"))),
    ]


Code = list[Instruction | Loop | Call]
StageTangents = tuple[Code, list[Call], list[BasicBlock]]  # code of values, calls for each direction, their blocks


def _stage_tangents(method: RosenbrockTableau, rows: Sequence[int], stage: int) -> StageTangents:
    """What follows a stage to compute its tangents.

    Where the length of a step has a tangent, the right-hand side gains SPEED' times what is carried from earlier
    stages, minus SHIFT' times the solution.
    """
    array, names = f"K{stage + 1}", (f"start{stage}_tangent", f"stretch{stage}_tangent")
    target, stretch = Slot(array, None, 1), list[Instruction]()
    if stage:
        stretch = _combination(None, method.error_weights[stage], "carried")
        stretch.append(Instruction(target, "fma", ("carried", Slot("SPEED", 0, 1), target)))
    stretch.append(Instruction(target, "fnma", (Slot("SHIFT", 0, 1), Slot(array), target)))
    blocks = [
        tangent_block(names[0], _loops(rows, _start_stage(method, stage)), ("SPEED",)),
        BasicBlock(names[1], tuple(_loops(rows, stretch)), relative=True),
    ]
    return [], [Call(names[0]), Call(names[1], limit="STRETCHED"), Call("stage_tangent", array)], blocks


def _end_tangents(rows: Sequence[int], end: Loop) -> StageTangents:
    """What follows the last stage."""
    return [], [Call("end_tangent")], [tangent_block("end_tangent", _loops(rows, end.body))]


def _first_power_tangents(rows: Sequence[int]) -> StageTangents:
    """What follows the first stage where the equations are linear: W1 = K1."""
    first = [Instruction(Slot("U"), "copy", (Slot("Y"),)), Instruction(Slot("W1"), "copy", (Slot("G"),))]
    copied: Code = [*_loops(rows, [Instruction(Slot("W1"), "copy", (Slot("K1"),))])]
    calls = [Call("start_tangent_of_step"), Call("stage_tangent", "W1")]
    return copied, calls, [tangent_block("start_tangent_of_step", _loops(rows, first))]


def _power_tangents(method: RosenbrockTableau, rows: Sequence[int]) -> StageTangents:
    """What follows the last stage where the equations are linear: tangents of powers of which all K are combinations.

    With W1 = K1 and (SHIFT - J) W(m+1) = W(m), every K is a sum of SPEED^m W(m+1) with fixed weights, see
    `power_weights`. All powers of a direction are computed together: its numbers stay in the first cache.
    """
    weights, _ = power_weights(method)
    powers = [f"W{m + 1}" for m in range(len(weights) - 1)]
    ops, factors = _with_speed(weights, "weight")
    end: Code = [*ops, *_loops(rows, _combination(Slot("Y"), factors, Slot("U"), "W"))]
    calls = [*(Call("resolve_tangent", array) for array in powers), Call("end_tangent")]
    blocks = [tangent_block("end_tangent", end, ("SPEED",)), tangent_block("end_stretch_tangent", end)]
    calls.append(Call("end_stretch_tangent", limit="STRETCHED"))
    return [Call("resolve", array) for array in powers], calls, blocks


def _power_dense(method: RosenbrockTableau, rows: Sequence[int]) -> list[Instruction | Loop]:
    """`_dense` where the equations are linear."""
    written = [_with_speed(row, f"dense{m}_") for m, row in enumerate(power_weights(method)[1])]
    return [*(op for ops, _ in written for op in ops), *_dense([factors for _, factors in written], rows, "W")]


def _with_speed(weights: Sequence[float], name: str) -> tuple[list[Instruction], list[Operand]]:
    """Weights of SPEED^m W(m+1) as factors of the W, and the instructions that compute these."""
    ops, factors = list[Instruction](), list[Operand](weights[:1])
    power: Operand = Slot("SPEED", 0)
    for m, weight in enumerate(weights[1:], 1):
        if m > 1:
            ops.append(Instruction(f"{name}speed{m}", "mul", (power, Slot("SPEED", 0))))
            power = f"{name}speed{m}"
        ops.append(Instruction(f"{name}{m}", "mul", (weight, power)))
        factors.append(f"{name}{m}")
    return ops, factors


def power_weights(method: RosenbrockTableau) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Weights of SPEED^m W(m+1) in the change of a step, and in the rows of `dense`, of a linear system.

    From J = SHIFT - (SHIFT - J): K_i = W1 + sum over j of (a_ij / gamma + c_ij) times K_j one power higher - a_ij K_j.
    The highest powers are left out where their weights are rounding errors: for Rodas5P the eighth, since c_21 = -a_21
    / gamma.
    """
    n = method.stages
    arguments, powers = np.zeros((n, n)), np.zeros((n, n))
    for i, row in enumerate(method.arguments):
        if row is None:
            arguments[i] = arguments[i - 1]
            arguments[i, i - 1] += 1.0
        else:
            arguments[i, : len(row)] = row
        powers[i, 0] = 1.0
        for j, weight in enumerate(method.error_weights[i]):
            powers[i, 1:] += (arguments[i, j] / method.gamma + weight) * powers[j, :-1]
            powers[i] -= arguments[i, j] * powers[j]
    change, dense = arguments[-1] @ powers + powers[-1], np.array(method.dense) @ powers
    sizes = np.abs([change, *dense])
    count = 1 + int(np.flatnonzero((sizes > ROUNDING * sizes.max(axis=1, keepdims=True)).any(axis=0))[-1])
    return tuple(change[:count].tolist()), tuple(tuple(row[:count].tolist()) for row in dense)


def _keep(tangent: int) -> list[Instruction]:
    """Y = U where the step is accepted."""
    old, new = Slot("Y", None, tangent), Slot("U", None, tangent)
    return [
        Instruction("size", "abs", (new,)),
        Instruction("excess", "sub", ("size", DENORMAL_CUTOFF)),
        Instruction("new", "if_positive", ("excess", new, 0.0)),
        Instruction(old, "if_zero", (Slot("ACCEPT", 0), old, "new")),
    ]


def _start_stage(method: RosenbrockTableau, stage: int) -> list[Instruction]:
    """U = the argument of a stage; its K = terms of earlier stages plus constant inputs; `stage` adds f(U)."""
    arguments, weights, target = method.arguments[stage], method.error_weights[stage], Slot(f"K{stage + 1}")
    if arguments is None:
        ops = [Instruction(Slot("U"), "add", (Slot("U"), Slot(f"K{stage}")))]
    else:
        ops = _combination(Slot("Y"), arguments, Slot("U"))
    if not weights:
        return [*ops, Instruction(target, "copy", (Slot("G"),))]
    return [
        *ops,
        *_combination(None, weights, "carried"),
        Instruction(target, "fma", ("carried", Slot("SPEED", 0), Slot("G"))),
    ]


def _combination(
    start: Operand | None, weights: Sequence[Operand], target: Slot | str, array: str = "K"
) -> list[Instruction]:
    """target = start + sum of weights times K1, K2, ..."""
    terms: list[tuple[Operand, Operand]] = [(w, Slot(f"{array}{j + 1}")) for j, w in enumerate(weights)]
    if not terms:
        assert start is not None
        return [Instruction(target, "copy", (start,))]
    ops, total = list[Instruction](), start
    for i, (weight, k) in enumerate(terms):
        result = target if i == len(terms) - 1 else f"{target}sum{i}" if isinstance(target, str) else f"sum{i}"
        ops.append(
            Instruction(result, "mul", (weight, k)) if total is None else Instruction(result, "fma", (weight, k, total))
        )
        total = result
    return ops


def _error(stages: int, scales: Sequence[float], count: int, *, masked: bool) -> list[Instruction]:
    """Weighted root mean square of the last K over the tolerance."""
    ops = list[Instruction]()
    for i, scale in enumerate(scales):
        ops += [Instruction(f"y{i}", "abs", (Slot("Y", i),)), Instruction(f"u{i}", "abs", (Slot("U", i),))]
        ops += [Instruction(f"m{i}", "max", (f"y{i}", f"u{i}")), Instruction(f"w{i}", "add", (f"m{i}", scale))]
        ops.append(Instruction(f"p{i}", "div", (Slot(f"K{stages}", i), f"w{i}")))
        ops += _square(i, masked=masked)
    total = f"total{len(scales) - 1}"
    ops += [Instruction("mean", "mul", (total, 1.0 / count)), Instruction("root", "sqrt", ("mean",))]
    return [*ops, Instruction(Slot("ERROR", 0), "div", ("root", Slot("TOLERANCE", 0)))]


def _growth(order: int) -> list[Instruction]:
    """Factor by which the step could grow: SAFETY times the error to the power -1/order."""
    return [
        Instruction("logarithm", "log", (Slot("ERROR", 0),)),
        Instruction("power", "mul", ("logarithm", -1.0 / order)),
        Instruction("factor", "exp", ("power",)),
        Instruction(Slot("GROWTH", 0), "mul", (SAFETY, "factor")),
    ]


def _dense(weights: Sequence[Sequence[Operand]], rows: Sequence[int], array: str = "K") -> list[Instruction | Loop]:
    """The state at a fraction THETA of the step in V; exactly Y where THETA is 0, also for an invalid step."""
    theta = Slot("THETA", 0)
    ops = list[Instruction]()
    for m, row in enumerate(weights):
        ops += _combination(None, row, f"D{m}", array)
    total = f"D{len(weights) - 1}"
    for m in reversed(range(len(weights) - 1)):
        ops.append(Instruction(f"inner{m}", "fma", (theta, total, f"D{m}")))
        total = f"inner{m}"
    ops += [
        Instruction("bent", "fma", ("rest", total, Slot("U"))),
        Instruction("end", "mul", (theta, "bent")),
        Instruction("there", "fma", ("rest", Slot("Y"), "end")),
        Instruction(Slot("V"), "if_zero", (theta, Slot("Y"), "there")),
    ]
    return [Instruction("rest", "sub", (1.0, theta)), *_loops(rows, ops)]
