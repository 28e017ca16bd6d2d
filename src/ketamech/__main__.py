"""`python -m ketamech`: the same as the command `ketamech`."""

from ketamech.cli import main

main()
