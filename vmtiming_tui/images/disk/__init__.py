"""What is on a disk: partitions, logical volumes, and which file system each holds."""
