"""The static web site: story, workbench and exercises, with the model compiled to WebAssembly and its tables."""
