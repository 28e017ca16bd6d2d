"""PEtab problems, written and read."""
