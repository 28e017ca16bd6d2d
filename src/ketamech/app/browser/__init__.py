"""Files with which a page simulates in the browser: the compiled model and its tables."""
