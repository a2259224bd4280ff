"""Names, sizes and pictures that code made."""

import pytest

from ui import files, outputs


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("report.csv", "report.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.xlsx", "y.xlsx"),
        ("a\u202egpj.html", "agpj.html"),
        ("line\nbreak.txt", "linebreak.txt"),
        ("..", "file"),
        ("", "file"),
    ],
)
def test_names(given: str, shown: str) -> None:
    assert files.safe_name(given) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1500, "1.5 KB"),
        (99_960, "100 KB"),
        (999_600, "1.0 MB"),
        (5e9, "5.0 GB"),
    ],
)
def test_sizes(count: float, shown: str) -> None:
    assert files.size(int(count)) == shown


def test_a_pictures_size_is_read_without_decoding_it() -> None:
    png = outputs.PNG + b"\0\0\0\rIHDR" + (70_000).to_bytes(4, "big") + (2).to_bytes(4, "big")
    assert outputs.picture_size(png) == (70_000, 2)
    assert outputs.picture_size(b"<svg>") == (0, 0)
    assert outputs.picture_size(png[:20]) == (0, 0)
