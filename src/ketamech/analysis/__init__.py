"""Simulations confronted with evidence, attribution, sensitivity, regimen search, claims."""
