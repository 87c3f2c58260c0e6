"""What is in a disk image, read without trusting a byte of it.

Standard library only: ``spin/`` runs this by Debian's own python3. Every read has a bound, every
number is checked before it is used, every path is resolved inside the image, and no byte of an
image becomes a word of a command.
"""
