"""What a file is, by its first bytes; its name only decides between kinds of text."""

import zipfile
from pathlib import Path

from sandbox.errors import Unreadable
from sandbox.reading import unpack

HEAD_BYTES = 4096
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
WHOLE_COMPOUND_BYTES = 64 * 1024 * 1024
REFUSED = {
    b"%PDF": "a PDF. Export the table as CSV or Excel",
    b"\x89PNG": "a picture. Upload the table it shows as CSV or Excel",
    b"\xff\xd8\xff": "a picture. Upload the table it shows as CSV or Excel",
    b"GIF8": "a picture. Upload the table it shows as CSV or Excel",
    b"MZ": "a program for Windows, whatever its name is. Upload a table",
    b"\x7fELF": "a program for Linux, whatever its name is. Upload a table",
    b"\xcf\xfa\xed\xfe": "a program for macOS, whatever its name is. Upload a table",
    b"\xca\xfe\xba\xbe": "a program, whatever its name is. Upload a table",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive. Unpack it and upload what is inside, or pack it as ZIP",
    b"Rar!": "a RAR archive. Unpack it and upload what is inside, or pack it as ZIP",
    b"BZh": "a bzip2 archive. Unpack it, or pack it with gzip or ZIP",
    b"\xfd7zXZ": "an xz archive. Unpack it, or pack it with gzip or ZIP",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive. Unpack it, or pack it with gzip or ZIP",
    b"ARROW1": "an Arrow file. Save the table as Parquet",
    b"Obj\x01": "an Avro file. Save the table as Parquet or CSV",
    b"ORC": "an ORC file. Save the table as Parquet or CSV",
    b"$FL2": "an SPSS file. Export the table as CSV",
    b"<?xml": "XML. Export the table as CSV, JSON or Excel",
    b"<!DOCTYPE html": "a web page. Save the table as CSV or Excel",
    b"<html": "a web page. Save the table as CSV or Excel",
    b"{\\rtf": "a formatted text. Save the table as CSV or Excel",
}
SHEET_MEMBERS = ("xl/workbook.xml", "xl/workbook.bin")
PASSWORD = "The workbook is protected by a password. Remove the password in Excel, save it, and upload that."


def kind_of(path: Path, name: str) -> str:
    """One of FORMATS, or gzip or zip; the file's `name` is what its owner calls it.

    Raises Unreadable for what is no table.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return _zip_kind(path)
    if head[:4] in (b"PAR1", b"PARE"):
        return "parquet"
    if head.startswith(b"SQLite format 3\x00"):
        return "sqlite"
    if head[8:12] == b"DUCK":
        return "duckdb"
    if head.startswith(COMPOUND):
        return _compound_kind(path)
    # Excel before 1997: the beginning of a BIFF stream of its own.
    if head[:4] in (b"\x09\x08\x08\x00", b"\x09\x04\x06\x00", b"\x09\x02\x06\x00", b"\x09\x08\x10\x00"):
        return "excel"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, what in REFUSED.items():
        if start[: len(signature)].lower() == signature.lower() and (len(signature) > 3 or _is_binary(head)):
            raise Unreadable(f"This is {what}.")
    return _text_kind(start, name)


def _text_kind(start: bytes, name: str) -> str:
    suffix = name.lower().rpartition(".")[2]
    if suffix in ("jsonl", "ndjson", "jsonlines"):
        return "jsonl"
    if suffix in ("csv", "tsv", "tab", "psv"):
        return "csv"
    if start[:1] == b"{" or (start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"[", b"]", b"")):
        return "json"
    return "json" if suffix == "json" and start else "csv"


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if names & set(SHEET_MEMBERS):
                unpack.check_ratio(sum(info.file_size for info in archive.infolist()), path.stat().st_size)
                return "excel"
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                kind = archive.read("mimetype")
                if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
                    return "excel"
            if "word/document.xml" in names or "ppt/presentation.xml" in names:
                raise Unreadable(
                    "This is a document, no table. Copy its table into a sheet, and upload that."
                )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, EOFError):
        # Said when it is unpacked.
        return "zip"
    return "zip"


def _compound_kind(path: Path) -> str:
    """Old Excel and encrypted new Excel share a container, whose directory names what is in it."""
    with path.open("rb") as file:
        content = file.read(WHOLE_COMPOUND_BYTES)
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise Unreadable(PASSWORD)
    if any(name.encode("utf-16-le") + b"\x00\x00" in content for name in ("Workbook", "Book")):
        return "excel"
    raise Unreadable("This is an old Office file with no table in it. Save the table as CSV or Excel.")


def _is_binary(head: bytes) -> bool:
    return b"\x00" in head or any(byte > 0xF4 or (byte < 32 and byte not in b"\t\r\n\f") for byte in head)
