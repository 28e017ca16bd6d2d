"""Kills a job repeatedly at random instants, resumes it, and checks what is left.

Run as a program: `repeated_kills.py KIND FOLDER KILLS SEED`. A forked child runs the job and reports through a pipe
what it has finished. The parent kills it (SIGKILL) after a random time, checks that every reported unit is in the
journal, and continues. At the end the files are compared with those of an undisturbed run. Prints one line of JSON.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from ketamech.core.checkpoint import open_checkpoint, read_journal
from ketamech.core.execution import Executor

UNITS = 40


def piece(number):
    """A unit of a toy job: numbers that depend on nothing else."""
    return {"values": np.random.Generator(np.random.Philox(key=np.array([7, number], dtype=np.uint64))).random(2000)}


def toy(folder, say):
    with open_checkpoint(folder, {"job": "toy"}, resume=True) as pieces:
        units = {f"unit-{i}": i for i in range(UNITS)}
        for name, _ in zip(units, Executor(pieces).map(units, piece), strict=True):
            say(name)
        pieces.finish()


def cohort(folder, say):
    """A real cohort: 48 patients in chunks of 4."""
    from ketamech.exchange.cohort_store import write_cohort

    asked = REAL[0]

    def told(firsts):
        for first, part in zip(firsts, asked.chunks(None, firsts), strict=True):
            yield part
            say(f"patients-{first}")  # the next chunk is asked for when this one is kept

    with open_checkpoint(folder, {"job": "cohort"}, about={"seed": 1}, resume=True) as pieces:
        write_cohort(pieces, told, asked.patients, chunk=asked.chunk_size)
        pieces.finish()


REAL = []


def prepare(kind):
    if kind == "cohort":
        import zarr  # noqa: F401 - here once, not in every child

        from ketamech import exchange  # noqa: F401
        from ketamech.population.cohort import Cohort
        from ketamech.simulation.load_scenario import load_scenario
        from ketamech.simulation.model import load_model

        given = load_scenario("racemic 0.5 mg/kg IV over 40 min")
        REAL.append(Cohort(load_model(), given, 48, ("mood.madrs",), np.array([0.0, 24.0]), chunk=4))
        REAL[0].solve_patients([0])  # the machine code is there before anybody forks
    return {"toy": toy, "cohort": cohort}[kind]


def files_of(folder):
    """Every file but the lock and the journal, by its content: the journal's lines may stand in another order."""
    kept = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in ("lock", "journal.txt")]
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


def child(job, folder):
    """Begin the job in a fork; returns its number and the reading end of what it says."""
    ours, theirs = os.pipe()
    number = os.fork()
    if number == 0:
        os.close(ours)
        try:
            job(folder, lambda name: os.write(theirs, f"{name}\n".encode()))
            os._exit(0)
        except BaseException as problem:
            os.write(2, repr(problem).encode())
            os._exit(1)
    os.close(theirs)
    return number, ours


def ended(number, ours):
    """Wait; returns the exit status and the names that were said."""
    _, status = os.waitpid(number, 0)
    with os.fdopen(ours, "rb") as pipe:
        return status, [line.decode() for line in pipe.read().split(b"\n") if line]


def main(kind, folder, kills, seed):
    job, chance, folder = prepare(kind), random.Random(seed), Path(folder)
    began = time.perf_counter()
    status, _ = ended(*child(job, folder / "undisturbed"))
    usual = time.perf_counter() - began
    assert status == 0
    whole, done, lost, rounds, torn = files_of(folder / "undisturbed"), 0, 0, 0, 0
    while done < kills:
        rounds += 1
        place, known = folder / f"killed-{rounds}", set()
        while done < kills:
            number, ours = child(job, place)
            time.sleep(chance.uniform(0, usual / 4))
            os.kill(number, signal.SIGKILL)
            status, said = ended(number, ours)
            done += os.WIFSIGNALED(status)
            journal = set(read_journal(place)) if (place / "pieces" / "journal.txt").exists() else set()
            torn += (place / "pieces" / "draft.tmp").exists()
            lost += len((known | set(said)) - journal)
            known |= journal
            if not os.WIFSIGNALED(status):
                assert status == 0
                break
        status, _ = ended(*child(job, place))
        assert status == 0
        found = files_of(place)
        assert found == whole, f"other bits: {sorted(dict(found.items() ^ whole.items()))}"
    print(json.dumps({"kills": done, "runs": rounds, "lost": lost, "half_written": torn, "files": len(whole)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
