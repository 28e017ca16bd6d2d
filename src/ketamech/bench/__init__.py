"""The same patients, doses and outputs on this engine and on others, error beside time."""

from ketamech.bench.benchmark import benchmark
from ketamech.bench.page import write_page

__all__ = ["benchmark", "write_page"]
