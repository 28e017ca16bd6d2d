"""Regimens inferred from the inputs of a foreign model."""
