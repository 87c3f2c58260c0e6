"""What VMs boot from, brought into each host's cache."""
