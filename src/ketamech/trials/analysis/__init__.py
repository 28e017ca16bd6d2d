"""Statistical analysis of trials."""
