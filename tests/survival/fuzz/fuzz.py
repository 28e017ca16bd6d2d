"""`make fuzz`: damaged inputs for every reader of the program; counts tracebacks, slow inputs and memory.

Each target runs in a separate process, with atheris (coverage-guided) where it is installed and with blind mutations
where it is not. Prints one line per target. The exit code is 1 if an input ended in an exception that is not a
KetaMechError, or took longer than ten seconds. The first input loads libraries and is timed separately. With
`--resume FILE` each finished target is appended to the file, and targets that are in it are not run again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

LONGEST, HANG, MEMORY = 40_000, 10.0, 2_000_000_000  # bytes of an input, s of a processor, bytes
NOTHING = {"runs": 0, "first": 0.0, "slowest": 0.0, "memory": 0, "wrong": 1}


class Watch:
    """Runs one target and writes down what went wrong, each place once."""

    def __init__(self, name: str, log: Path) -> None:
        from fuzz_targets import TARGETS

        self.name, self.log, self.one = name, log, TARGETS[name]
        self.runs, self.slowest, self.first, self.seen = 0, 0.0, 0.0, dict[str, int]()

    def __call__(self, data: bytes) -> None:
        from ketamech.core import KetaMechError

        began = time.process_time()  # what others do on the machine does not count; libFuzzer stops what waits
        try:
            self.one(data)
        except KetaMechError:
            pass
        except Exception as problem:
            last = traceback.extract_tb(problem.__traceback__)
            own = [frame for frame in last if "ketamech" in frame.filename] or list(last)
            where = f"{type(problem).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"
            self._note("finding", where, data, "".join(traceback.format_exception(problem))[-1500:])
        took = time.process_time() - began
        if self.runs:
            self.slowest = max(self.slowest, took)
            if took > HANG:
                self._note("slow", f"{took:.0f} s", data, "")
        else:
            self.first = took  # what is loaded on first use
        self.runs += 1
        if self.runs % 500 == 0:
            self.tell()

    def _note(self, kind: str, where: str, data: bytes, text: str) -> None:
        self.seen[where] = self.seen.get(where, 0) + 1
        if self.seen[where] == 1:
            with self.log.open("a", encoding="utf-8") as file:
                said = {"kind": kind, "target": self.name, "where": where, "input": repr(data[:400]), "text": text}
                file.write(json.dumps(said) + "\n")

    def tell(self) -> None:
        """How far it has come."""
        from ketamech.core.atomic_files import atomic_write
        from ketamech.core.environment import peak_memory

        memory = (peak_memory() or 0.0) * 2**20
        told = {"runs": self.runs, "first": self.first, "slowest": self.slowest, "memory": memory}
        told["wrong"] = sum(self.seen.values())
        atomic_write(self.log.with_suffix(".count"), json.dumps(told).encode())  # the process may be ended at any time


def child(name: str, runs: int, seed: int, log: Path) -> None:
    """One target; does not return where atheris runs it."""
    sys.path.insert(0, str(Path(__file__).parent))
    guided = importlib.util.find_spec("atheris") is not None
    if guided:
        import atheris

        with atheris.instrument_imports(
            include=["ketamech.dosing", "ketamech.simulation", "ketamech.trials", "ketamech.evidence", "ketamech.core"]
        ):
            import fuzz_targets
    else:
        import fuzz_targets
    watch, corpus = Watch(name, log), Path(tempfile.mkdtemp())
    given = fuzz_targets.seeds(name)
    for data in given:
        watch(data)
    if not guided or watch.runs >= runs:  # libFuzzer takes 0 or fewer runs as no limit
        chance = random.Random(seed)
        while watch.runs < runs:
            watch(mangled(chance, given, fuzz_targets.WORDS))
        watch.tell()
        return
    for i, data in enumerate(given):
        (corpus / f"{i:03d}").write_bytes(data)
    words = corpus.with_suffix(".dict")
    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in fuzz_targets.WORDS)
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    left = runs - watch.runs
    options = [f"-runs={left}", f"-seed={seed}", f"-max_len={LONGEST}", f"-dict={words}", "-timeout=60", "-verbosity=0"]
    options.append(f"-artifact_prefix={log.parent}/")  # else slow inputs are written into the current folder

    def counted(data: bytes) -> None:
        watch(data)
        if watch.runs >= runs:
            watch.tell()

    atheris.Setup([sys.argv[0], *options, str(corpus)], counted)
    atheris.Fuzz()


def mangled(chance: random.Random, given: list[bytes], words: tuple[str, ...]) -> bytes:
    """A good input with some bytes changed, cut, doubled or replaced by telling words."""
    data = bytearray(chance.choice(given)[:LONGEST])
    for _ in range(chance.randint(1, 6)):
        at, much = chance.randrange(len(data) + 1), chance.randint(0, 12)
        how = chance.randrange(4)
        if how == 0:
            data[at : at + much] = chance.randbytes(chance.randint(0, 4))
        elif how == 1:
            data[at:at] = chance.choice(words).encode()
        elif how == 2:
            data[at:at] = data[at : at + much] * chance.randint(1, 40)
        else:
            del data[at : at + much]
    return bytes(data[:LONGEST])


def _ended(command: list[str], limit: float) -> str:
    """What a process wrote to its standard error, or that it had to be ended after `limit` seconds."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return f"no end within {limit:g} s"
    return done.stderr


def one_target(name: str, runs: int, seed: int) -> dict[str, Any]:
    """Run one target in a process: its counts and findings."""
    log = Path(tempfile.mkdtemp()) / "found.jsonl"
    ended = _ended([sys.executable, __file__, "--child", name, str(runs), str(seed), str(log)], HANG * (10 + runs))
    count = log.with_suffix(".count")
    result = json.loads(count.read_text()) if count.exists() else dict(NOTHING)
    result |= {"target": name, "seed": seed, "found": [], "ended": ""}
    if result["runs"] < runs or result["memory"] > MEMORY:
        result |= {"wrong": result["wrong"] + 1, "ended": ended[-1500:]}
    if log.exists():
        result["found"] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return result


def main() -> int:
    """All targets, one after another."""
    sys.path.insert(0, str(Path(__file__).parent))
    from fuzz_targets import TARGETS

    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--runs", type=int, default=20_000, help="inputs in all")
    wanted.add_argument("--seed", type=int, default=1)
    wanted.add_argument("--target", choices=sorted(TARGETS), action="append")
    wanted.add_argument("--resume", type=Path, help="file of finished targets, which are not run again")
    options = wanted.parse_args()
    chosen = options.target or list(TARGETS)
    runs, results = -(-options.runs // len(chosen)), dict[str, dict[str, Any]]()
    if options.resume and options.resume.exists():
        lines = map(json.loads, options.resume.read_text(encoding="utf-8").splitlines())
        results = {one["target"]: one for one in lines if one["runs"] >= runs and one["seed"] == options.seed}
    for name in chosen:
        if name not in results:
            results[name] = one_target(name, runs, options.seed)
            if options.resume:
                with options.resume.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(results[name]) + "\n")
        one = results[name]
        if one["ended"]:
            print(f"{name}: ended early or took too much memory: {one['ended']}")
        print(f"{name}: {one['runs']} inputs, {one['wrong']} wrong, slowest {one['slowest']:.2f} s,", end=" ")
        print(f"the first (loading) {one['first']:.2f} s, {one['memory'] / 1e6:.0f} MB", flush=True)
        for finding in one["found"]:
            print(f"  {finding['kind']}: {finding['where']}\n  {finding['input']}\n{finding['text']}")
    total, wrong = (sum(results[name][key] for name in chosen) for key in ("runs", "wrong"))
    slowest = max(results[name]["slowest"] for name in chosen)
    print(f"{total} inputs for {len(chosen)} readers, {wrong} wrong, slowest {slowest:.2f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    if "--child" in sys.argv:
        kind, number, start, place = sys.argv[2:6]
        child(kind, int(number), int(start), Path(place))
    else:
        sys.exit(main())
