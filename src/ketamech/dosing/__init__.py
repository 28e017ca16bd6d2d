"""Drugs, regimens and their grammar, dose events, dose records, perturbations."""
