"""The host: what it has, how busy it is, what each QEMU uses of it."""
