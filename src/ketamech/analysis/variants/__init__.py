"""Model variants (structural hypotheses): fitted, compared, averaged."""
