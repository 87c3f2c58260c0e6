"""What of an image's system matters to a boot: kernels, initrds, fstab, names."""
