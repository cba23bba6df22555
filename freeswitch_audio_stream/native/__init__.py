"""Python compiled to machine code: the compiler and its cache, atomics, libc, memory."""
