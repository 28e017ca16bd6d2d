"""The machine code of the loops, which is the same for all systems, for tests that start with an empty cache."""

import shutil

from ketamech.engine import kernel as kernels


def copy_compiled_loops(cache):
    """Put the machine code of the loops, which Numba compiles for many seconds, into another cache folder."""
    kernels.loops_object()
    folder = kernels.loops_folder()
    found = folder if folder.is_dir() else kernels.environment.PREBUILT / "kernels" / folder.name
    shutil.copytree(found, cache / "kernels" / folder.name)
