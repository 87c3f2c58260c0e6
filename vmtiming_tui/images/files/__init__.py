"""The files of file systems, read without a mount."""
