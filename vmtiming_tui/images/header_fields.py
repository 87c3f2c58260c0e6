"""Fixed fields of headers as text a person may be shown."""

from vmtiming_tui.escape import printable


def text_field(raw: bytes, encoding: str = "utf-8") -> str:
    """Return a field that ends at its first zero, nothing in it unseen or steering."""
    text = raw.decode(encoding, errors="backslashreplace").partition("\0")[0]
    return printable(text, keep="").strip()
