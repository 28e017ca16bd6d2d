"""Results, models and doses as files that other tools read and write."""
