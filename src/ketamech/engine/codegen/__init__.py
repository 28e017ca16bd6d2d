"""Code generation: equations to LLVM IR for CPU and GPU."""
