"""Who is measured: our engine and the programs a pharmacometrician would otherwise take, all behind one face."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import amici, c_kernel, copasi, diffsl, jax_diffrax, ketamech_engine, lsoda, roadrunner
from benchmarks.benchmark_case import BenchmarkCase
from ketamech.core import UnknownNameError, closest_match

Run = Callable[[float], np.ndarray]  # tolerance -> values [patient, time, output]


@dataclass(frozen=True)
class Engine:
    """`load` compiles and returns what solves the task; `modules` are what it must find, `packages` what to install.

    `program`: a program that must be on the path. One that `solves_groups` of patients gets as many as ours.
    """

    name: str
    label: str
    method: str
    load: Callable[[BenchmarkCase], Run]
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    program: str = ""
    solves_groups: bool = False

    @property
    def installed(self) -> bool:
        """Whether every module and program it needs is there."""
        there = not self.program or shutil.which(self.program)
        return bool(there) and all(importlib.util.find_spec(module) for module in self.modules)

    @property
    def type_this(self) -> str:
        """What to type where it is not installed."""
        if self.program:
            return f"CC=... with the GCC of this machine in place of {self.program}"
        return f"pip install {' '.join(self.packages)}"

    @property
    def versions(self) -> dict[str, str]:
        """Version of each package it rests on."""
        return {name: importlib.metadata.version(name) for name in self.packages} if self.installed else {}


OURS = Engine("ours", "KetaMech", "this engine", ketamech_engine.load, solves_groups=True)
BY_HAND = "c_kernel"
QUICK_ENGINES = ("roadrunner", "copasi")  # compile within seconds
SLOW_ENGINES = ("amici", "diffrax")  # compile within many minutes: only where they are named
ENGINES = (
    OURS,
    Engine(
        "roadrunner",
        "libRoadRunner",
        "CVODE on the SBML export, compiled by LLVM",
        roadrunner.load,
        ("roadrunner", "libsbml"),
        ("libroadrunner", "python-libsbml"),
    ),
    Engine(
        "pydiffsol",
        "pydiffsol",
        "BDF with sparse LU on DiffSL, compiled by LLVM",
        diffsl.load,
        ("pydiffsol",),
        ("pydiffsol",),
    ),
    Engine(
        "copasi",
        "COPASI",
        "LSODA on the SBML export",
        copasi.load,
        ("COPASI", "libsbml"),
        ("python-copasi", "python-libsbml"),
    ),
    Engine(
        "amici",
        "AMICI",
        "CVODES with a symbolic Jacobian on the SBML export, compiled from C++",
        amici.load,
        ("amici", "libsbml"),
        ("amici", "python-libsbml", "swig"),
    ),
    Engine(
        "diffrax",
        "diffrax",
        "Kvaerno5 with dense Newton iterations on JAX, compiled by XLA",
        jax_diffrax.load,
        ("diffrax",),
        ("diffrax", "jax"),
    ),
    Engine(
        "scipy",
        "SciPy",
        "LSODA (odeint) on equations and Jacobian compiled by numba",
        lsoda.load,
        ("scipy", "numba", "threadpoolctl"),
        ("scipy", "numba", "threadpoolctl"),
    ),
    Engine(
        BY_HAND,
        "C by hand",
        "the same method in C with AVX vectors, compiled by the C compiler of this machine",
        c_kernel.load,
        program=c_kernel.COMPILER,
        solves_groups=True,
    ),
)


def select_engines(names: Sequence[str]) -> list[Engine]:
    """Peers by name (all but the slow ones where none is named), ours always among them. Raises UnknownNameError."""
    known = {peer.name: peer for peer in ENGINES}
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"there is no peer '{name}'",
                key="--engines",
                expected=", ".join(known),
                nearest=closest_match(name, known),
            )
    usual = known.keys() - set(SLOW_ENGINES)
    return [peer for peer in ENGINES if peer is OURS or peer.name in (names or usual)]
