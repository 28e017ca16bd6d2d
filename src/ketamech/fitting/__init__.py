"""Estimation of parameters from a user's own measurements: one person, or a group."""
