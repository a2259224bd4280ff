"""Names of files that are handed to a person."""

NAME_LENGTH = 60


def stem(title: str) -> str:
    """A title as a file's name without its ending."""
    words = "".join(c if c.isalnum() else " " for c in title).split()
    return "-".join(words).lower()[:NAME_LENGTH] or "result"


def safe_name(name: str) -> str:
    """A file's name as code wrote it, without folders and without signs that hide its ending."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable()).strip(" .") or "file"


def size(count: int) -> str:
    """ "812 bytes", "3.4 KB", "12 MB"."""
    if count < 1000:
        return f"{count} bytes"
    for unit, scale in (("KB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < scale * 999.5 or unit == "GB":
            amount = count / scale
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return ""
