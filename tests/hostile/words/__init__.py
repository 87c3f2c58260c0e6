"""Words of an image at every place we write or say: none becomes a command, a path or a line.

Each image is spun for real, by the tools, in a folder beside a decoy that must stay as it is.
"""
