"""Figures, pages and tables for people to read."""
