"""Files that the server brings in itself: only from folders and servers that the settings name."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agents.settings import Settings
from agents.sources import Cancelled, Followed, Source, allowed, open_source
from analysis.errors import IngestError
from tests.agents.conftest import Open, assistant
from tests.agents.test_ingests import current, until

__all__ = ["assistant"]
CSV = b"city,amount\nBonn,1\nKoeln,2\n"


class Handler(BaseHTTPRequestHandler):
    """A file, redirects to it and elsewhere, and one that breaks off."""

    def do_GET(self) -> None:
        places = {
            "/moved": "/towns.csv", "/away": "http://other.example/a.csv", "/file": "file:///etc/passwd",
            "/loop": "/loop",
        }  # fmt: skip
        if place := places.get(self.path):
            self.send_response(302)
            self.send_header("Location", place)
            self.end_headers()
            return
        self.send_response(404 if self.path == "/nothing" else 200)
        self.send_header("Content-Length", str(len(CSV) + (5 if self.path == "/broken" else 0)))
        self.end_headers()
        self.wfile.write(CSV)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://localhost:{made.server_port}"
        made.shutdown()
        thread.join()


def read(source: str, settings: Settings) -> bytes:
    with open_source(source, settings) as found:
        return Followed(found, lambda part: None, lambda: False).read()


def test_nothing_is_brought_in_unless_the_settings_say_so(tmp_path: Path) -> None:
    off = Settings()
    assert allowed(off) == ""
    for source, name in [(str(tmp_path), "UPLOAD_FOLDERS"), ("https://example.org/a.csv", "UPLOAD_URLS")]:
        with pytest.raises(IngestError, match=name):
            read(source, off)


def test_a_path_leads_into_the_folder_or_nowhere(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside.csv"
    (folder / "deep").mkdir(parents=True)
    outside.write_bytes(b"secret")
    (folder / "deep" / "a.csv").write_bytes(CSV)
    (folder / "inner.csv").symlink_to(folder / "deep" / "a.csv")
    (folder / "outer.csv").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.csv")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "b.csv").write_bytes(b"secret")
    settings = Settings(upload_folders=f"/nowhere{os.pathsep}{folder}")
    for good in (folder / "deep" / "a.csv", folder / "inner.csv", folder / "deep" / ".." / "inner.csv"):
        assert read(str(good), settings) == CSV
    assert read("deep/a.csv", Settings(upload_folders=str(folder))) == CSV
    bad = ["outer.csv", "up/outside.csv", "../outside.csv", "pipe.csv", "deep", "none.csv", "a\0b", ""]
    absolute = [str(outside), "/etc/passwd", "file:///etc/passwd", str(tmp_path / "inside" / "b.csv")]
    for path in [str(folder / name) for name in bad] + absolute:
        with pytest.raises(IngestError, match="no file"):
            read(path, settings)


def test_a_url_leads_to_a_named_server_or_nowhere(server: str) -> None:
    named = Settings(upload_urls="localhost, *.example.org")
    assert read(f"{server}/towns.csv", named) == CSV
    assert read(f"{server}/moved", named) == CSV
    refused = {"/away": "other.example", "/file": "http", "/loop": "redirects", "/nothing": "404"}
    refused["/broken"] = "broke off"
    for path, words in refused.items():
        with pytest.raises(IngestError, match=words), open_source(f"{server}{path}", named) as found:
            followed = Followed(found, lambda part: None, lambda: False)
            while followed.read(10):
                pass
    for url in ("http://user:word@localhost/a", "http://", "http://localhost:99999/a", "ftp://localhost/a"):
        with pytest.raises(IngestError):
            read(url, named)
    with pytest.raises(IngestError, match="does not answer"):
        read("http://localhost:1/a.csv", named)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "2130706433"]
)
def test_private_addresses_have_to_be_named(host: str) -> None:
    for setting in ("true", "*"):
        with pytest.raises(IngestError, match=r"private network|no server"):
            read(f"http://{host}/latest/meta-data", Settings(upload_urls=setting))


def test_a_cancel_ends_it() -> None:
    with closing(io.BytesIO(b"x" * 100)) as stream:
        parts: list[float] = []
        followed = Followed(Source("a", stream, 100), parts.append, lambda: len(parts) > 1)
        assert followed.read(10) + followed.read(10) == b"x" * 20 and parts == [0.1, 0.2]
        with pytest.raises(Cancelled):
            followed.read(10)


def test_what_is_brought_in_is_a_dataset(assistant: Open, server: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "local.csv").write_bytes(CSV)
    big = tmp_path / "in" / "big.csv"
    big.write_bytes(b"a,b\n" + b"1,2\n" * 300_000)
    made = assistant(upload_folders=str(tmp_path / "in"), upload_urls="localhost", upload_limit_mb=1)
    key = made.new_session("ann")
    for source, name in [("local.csv", "local"), (f"{server}/towns.csv", "towns")]:
        until(made, made.ingests.fetch(key, source), "done")
        assert (current(made, key).name, current(made, key).rows) == (name, 2)
    failed = until(made, made.ingests.fetch(key, "big.csv"), "failed")
    assert "UPLOAD_LIMIT_MB" in failed.error and big.exists()
    with pytest.raises(IngestError):
        made.ingests.fetch(key, "/etc/passwd")
