"""QEMU as it is started: machine, accelerator, disks, rights, command line; and why it failed."""
