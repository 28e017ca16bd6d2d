"""Code generation: equations to LLVM IR for CPU, GPU and WebAssembly."""
