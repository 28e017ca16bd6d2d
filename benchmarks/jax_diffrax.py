"""diffrax on JAX: Kvaerno5 with dense Newton iterations, started anew at every event, compiled by XLA."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.lsoda import write_python

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Run

MOST_STEPS = 4096  # between two events
FIRST_STEP = 1e-3  # h
RISE = '''import jax.numpy as np

math = np

def rise(x, n, w):
    """Hill saturation whose constant part is w = n log half."""
    return np.where(x > 0.0, 1.0 / (1.0 + np.exp(w - n * np.log(np.where(x > 0.0, x, 1.0)))), 0.0)

'''


def load(problem: BenchmarkCase) -> Run:
    """Compile the equations, and return what solves the task for every patient of the problem."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import diffrax
    import jax.numpy as jnp

    functions: dict[str, object] = {}
    exec(compile(for_jax(write_python(problem.system, problem.outputs)), "<equations>", "exec"), functions)
    prepare, rates, observe = (functions[name] for name in ("prepare", "rates", "observe"))
    parts = problem.segments()
    segments = tuple(jnp.array([getattr(part, name) for part in parts]) for name in ("start", "stop", "jump", "inflow"))
    times, scale = jnp.array(problem.times), jnp.array(problem.scale)

    @jax.jit
    def one(inputs, start, tolerance):
        q = prepare(inputs)
        term = diffrax.ODETerm(lambda t, y, inflow: rates(y, t, q, inflow))
        control = diffrax.PIDController(rtol=tolerance, atol=tolerance * scale)

        def segment(y, given):
            begin, end, jump, inflow = given
            at = diffrax.SaveAt(ts=jnp.clip(times, begin, end), t1=True)
            found = diffrax.diffeqsolve(
                term, diffrax.Kvaerno5(), begin, end, FIRST_STEP, y + jump, inflow,
                stepsize_controller=control, saveat=at, max_steps=MOST_STEPS,
            )  # fmt: skip
            inside = (times >= begin) & (times < end)
            return found.ys[-1], jnp.where(inside[:, None], found.ys[:-1], 0.0)

        last, curves = jax.lax.scan(segment, start, segments)
        states = jnp.where((times < segments[1][-1])[:, None], curves.sum(axis=0), last)
        return jax.vmap(lambda y: observe(y, q))(states)

    def run(tolerance: float) -> np.ndarray:
        return np.array([one(*patient, tolerance) for patient in zip(problem.inputs, problem.start, strict=True)])

    one(problem.inputs[0], problem.start[0], 1e-3)
    return run


def for_jax(source: str) -> str:
    """The Python source for numba without its Jacobian, with values that are put together instead of written."""
    functions = "@njit" + "@njit".join(part for part in source.split("@njit")[2:] if "def jacobian" not in part)
    text = functions.replace('@njit(error_model="numpy")\n', "")
    text = re.sub(r"out = np\.(?:empty|zeros)\(.*\)", "out = {}", text)
    text = text.replace("out[i] += inflow[i]", "out[i] = out[i] + inflow[i]")
    return RISE + text.replace("return out", "return np.stack([out[i] for i in range(len(out))])")
