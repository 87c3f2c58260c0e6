"""What boot loaders are told: which kernel, which initrds, and what the kernel is told in turn."""
