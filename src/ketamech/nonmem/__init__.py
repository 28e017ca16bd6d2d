"""NONMEM-style dose tables, read, simulated and written."""
