"""The values of QEMU's options: words and settings between commas."""


def option(*bare: str, **settings: str | int | bool) -> str:
    """Return a QEMU option's value; commas are doubled, which is all its syntax needs."""
    words = [word.replace(",", ",,") for word in bare]
    for key, value in settings.items():
        text = ("on" if value else "off") if isinstance(value, bool) else str(value)
        words.append(f"{key.rstrip('_').replace('_', '-')}={text.replace(',', ',,')}")
    return ",".join(words)
