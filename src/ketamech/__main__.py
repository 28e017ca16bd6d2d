"""`python -m ketamech`: the same as the command `ketamech`."""

from ketamech.cli.main import main

main()
