"""The web application: the timeline page and the workbench."""
