"""Makers of pages: what the program knows of itself, written as Markdown for the site."""
