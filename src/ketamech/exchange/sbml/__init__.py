"""SBML, written, read and simulated."""
