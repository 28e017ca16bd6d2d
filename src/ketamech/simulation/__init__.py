"""Scenarios, ensembles of patients and their simulation, and observables of the curves."""
