"""The `ketamech` command."""
