"""Calibration on published trials."""
