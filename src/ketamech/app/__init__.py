"""The page: a story and a workbench over the same engine."""
