"""The stage language, and stages assembled into one checked system of equations."""
