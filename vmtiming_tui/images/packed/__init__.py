"""Packed disk images: told by their marks, unpacked within limits, told from other things."""
