"""Machine code is loaded wherever the process still has addresses, from many threads, and is unloaded again."""

import ctypes
import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ketamech.engine.codegen import native_code

CONSTANTS = """
@table = internal constant [4 x double] [double 1.0, double 2.0, double 3.0, double 4.0]
declare void @twice(ptr)
define void @get(ptr %out, i64 %i) {
  %p = getelementptr [4 x double], ptr @table, i64 0, i64 %i
  %v = load double, ptr %p
  store double %v, ptr %out
  call void @twice(ptr %out)
  ret void
}
"""
OTHER_OBJECT = """
define void @twice(ptr %out) {
  %v = load double, ptr %out
  %w = fmul double %v, 2.5
  store double %w, ptr %out
  ret void
}
"""
PAGE, DISTANCE, HOLES = 4096, 3 << 30, range(1, 6)  # bytes; pages


def objects():
    return [native_code.object_code([CONSTANTS], ["get"]), native_code.object_code([OTHER_OBJECT], ["twice"])]


def third(module):
    out = ctypes.c_double()
    module.function("get", "wc")(ctypes.addressof(out), 2)
    return out.value


def leave_two_places(pages):
    """Free addresses only below 3 GB that are taken, and a hole of a few pages above them."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

    def reserve(size):
        return libc.mmap(None, size, 0, 0x4022, -1, 0)  # private, anonymous, not reserved

    taken, size = reserve(DISTANCE), 1 << 30
    while size >= PAGE:
        place = reserve(size)
        if place < taken:
            libc.munmap(place, size)
            size //= 2
    libc.munmap(taken + DISTANCE - pages * PAGE, pages * PAGE)


@pytest.mark.skipif(not native_code.JITLINK, reason="the address space of Linux")
def test_code_and_constants_may_lie_far_apart():
    """MCJIT ends the process for one and two pages; for some sizes the objects lie apart."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert done.stdout.split() == ["7.5"] * len(HOLES), done.stderr


@pytest.mark.skipif(not native_code.JITLINK, reason="the limit of Linux")
def test_a_lack_of_memory_is_an_error():
    """LLVM would end the process."""
    command = [sys.executable, __file__, "limited"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert "InputError" in done.stderr
    assert "machine code needs 64 MB" in done.stderr
    assert done.returncode == 1


def test_a_missing_function_is_an_error():
    with pytest.raises(RuntimeError, match="nothing"):
        native_code.NativeModule(*objects()).function("nothing", "r")


def test_threads_load_and_unload_at_the_same_time():
    made = objects()

    def load(_):
        module = native_code.NativeModule(*made)
        cycle = [module]
        cycle.append(cycle)  # left to the garbage collector
        return third(module)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(load, range(40))) == {7.5}
    gc.collect()


def main():
    """One forked process per size of the hole."""
    made = objects()
    for pages in HOLES:
        child = os.fork()
        if child == 0:
            leave_two_places(pages)
            print(third(native_code.NativeModule(*made)), flush=True)
            os._exit(0)
        os.waitpid(child, 0)


def limited():
    """Load until the memory of the process ends."""
    import resource

    made, loaded = objects(), []
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * PAGE
    resource.setrlimit(resource.RLIMIT_AS, (used + (80 << 20), used + (80 << 20)))
    while True:
        loaded.append(native_code.NativeModule(*made))


if __name__ == "__main__":
    limited() if "limited" in sys.argv else main()
