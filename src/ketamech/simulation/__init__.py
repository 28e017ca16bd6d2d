"""Scenarios and the simulation of them."""
