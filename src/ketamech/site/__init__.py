"""The static web site: the story page with the model compiled to WebAssembly, and the tables that it needs."""
