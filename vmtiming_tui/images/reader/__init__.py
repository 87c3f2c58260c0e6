"""File systems that only a kernel can read: in a throw-away VM, or by a mount."""
