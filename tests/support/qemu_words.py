"""The values of QEMU's options, read as QEMU reads them."""


def split_options(value: str) -> list[str]:
    """Return the parts of an option's value: a doubled comma is a comma."""
    return [part.replace("\0", ",") for part in value.replace(",,", "\0").split(",")]
