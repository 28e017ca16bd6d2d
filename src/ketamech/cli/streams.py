"""Make the standard streams accept any text in any encoding, and handle closed streams."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from typing import TextIO

ASCII_EQUIVALENTS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "…": "...", "×": "x", "·": "*", "→": "->", "←": "<-", "≤": "<=",
    "≥": ">=", "≈": "~", "±": "+/-", "µ": "u", "μ": "u", "α": "alpha", "β": "beta", "κ": "kappa", "Δ": "delta",
    "°": " deg", "’": "'", "‘": "'", "“": '"', "”": '"', "•": "-", "─": "-", "━": "-", "│": "|", "✓": "ok", "✗": "x",
    "≠": "!=", "²": "^2", "³": "^3", "½": "1/2", "¼": "1/4", "™": "(TM)", "®": "(R)", "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
HANDLER = "ketamech_plain"


def prepare() -> None:
    """Make the standard streams safe to write to, before anything else is opened.

    A character that the encoding of a stream lacks is written in ASCII (a minus sign as '-', a letter without its
    accent, else '?'). A stream that is closed is replaced by the null device.
    """
    codecs.register_error(HANDLER, _in_ascii)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  (for as long as we run)
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)


def close_broken_pipe(stream: TextIO) -> None:
    """Discard the buffer of a stream, so that Python does not try to write it again at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # no stream of the system, as in a test
        return


def plain(text: str) -> str:
    """The text in ASCII."""
    return "".join(_plain(letter) for letter in text)


def _plain(letter: str) -> str:
    if letter.isascii() or letter in ASCII_EQUIVALENTS:
        return ASCII_EQUIVALENTS.get(letter, letter)
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return bare if letter.isalpha() and bare else "?"  # of a sign what is left may mean something else


def _in_ascii(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    return plain(problem.object[problem.start : problem.end]), problem.end
