"""What is said with a QEMU: its sessions, and the stamps on its events."""
