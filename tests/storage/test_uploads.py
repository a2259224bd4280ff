"""Files in pieces: resumed, sealed, moved into place without a copy, refused, forgotten; and tickets."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.datasets import TooLarge
from storage.errors import NotFound
from storage.ingests import KEPT_SECONDS, IngestRecord
from storage.keys import SessionKey
from storage.store import Store
from storage.tickets import IDLE_SECONDS
from storage.uploads import EXPIRY_SECONDS, DiskFull, Uploads, WrongOffset

KEY = SessionKey("agents", "ann", "one")
LIMIT = 10**18


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


def test_pieces_are_appended_where_the_file_ends(uploads: Uploads, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    made = uploads.create("ann", KEY, "a.csv", len(data), LIMIT, modified="5")
    assert uploads.append(made, 0, data[:100_000]) == 100_000
    with pytest.raises(WrongOffset) as late:
        uploads.append(made, 50_000, b"x")
    assert late.value.offset == 100_000
    # Another process of the same home, which knows nothing of the first piece.
    other = Uploads(tmp_path / "uploads")
    found = other.get("ann", made.id)
    assert (found.offset, found.whole, found.session, found.modified) == (100_000, False, KEY, "5")
    assert other.for_session(KEY) == [found] and other.for_session(SessionKey("agents", "ann", "two")) == []
    assert other.append(found, 100_000, data[100_000:]) == 300_000
    assert other.get("ann", made.id).whole and other.for_session(KEY) == []
    for process in (other, uploads):
        assert process.seal(found)[0] == hashlib.sha256(data).hexdigest()


def test_a_whole_file_is_moved_not_copied(store: Store) -> None:
    made = store.uploads.create("ann", None, "a.csv", 4, LIMIT)
    store.uploads.append(made, 0, b"a\n1\n")
    sha256, path = store.uploads.seal(made)
    before = path.stat().st_ino
    kept = store.datasets.adopt_original(path, sha256)
    assert kept.stat().st_ino == before and kept.read_bytes() == b"a\n1\n" and not path.exists()
    again = store.uploads.create("bob", None, "b.csv", 4, LIMIT)
    store.uploads.append(again, 0, b"a\n1\n")
    assert store.datasets.adopt_original(store.uploads.seal(again)[1], sha256) == kept
    store.datasets.drop_unused(sha256)
    assert not kept.exists()


def test_what_does_not_fit_is_refused(uploads: Uploads, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="UPLOAD_LIMIT_MB"):
        uploads.create("ann", None, "a.csv", 11, 10)
    tmp_path.joinpath("uploads").mkdir()
    with pytest.raises(DiskFull, match="MB are free"):
        uploads.create("ann", None, "a.csv", shutil.disk_usage(tmp_path).free + 10**9, LIMIT)
    made = uploads.create("ann", None, "a.csv", 3, LIMIT)
    with pytest.raises(TooLarge):
        uploads.append(made, 0, b"four")
    assert uploads.get("ann", made.id).offset == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk without space")
def test_a_disk_that_fills_up_is_said(uploads: Uploads, tmp_path: Path) -> None:
    made = uploads.create("ann", None, "a.csv", 3, LIMIT)
    data = tmp_path / "uploads" / made.id / "data"
    data.unlink()
    data.symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="disk is full"):
        uploads.append(made, 0, b"abc")


def test_nobody_elses_and_no_made_up_upload_is_found(uploads: Uploads, tmp_path: Path) -> None:
    made = uploads.create("ann", None, "a.csv", 3, LIMIT)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "upload.json").write_text("{}")
    for user, name in [
        ("bob", made.id),
        ("ann", "f" * 32),
        ("ann", "../secret"),
        ("ann", ""),
        ("ann", "é" * 32),
    ]:
        with pytest.raises(NotFound):
            uploads.get(user, name)
        uploads.delete(name if name != made.id else "../secret")
    assert (tmp_path / "secret" / "upload.json").exists()
    uploads.delete(made.id)
    for call in (lambda: uploads.append(made, 0, b"abc"), lambda: uploads.seal(made)):
        with pytest.raises(NotFound):
            call()


def test_what_was_given_up_is_swept(store: Store) -> None:
    old, new, whole = (store.uploads.create("ann", KEY, "a.csv", size, LIMIT) for size in (3, 3, 0))
    long_ago = time.time() - EXPIRY_SECONDS - 1
    for upload in (old, whole):
        os.utime(store.home / "uploads" / upload.id / "data", (long_ago, long_ago))
    assert store.sweep().deleted_files == 1
    assert {upload.id for upload in store.uploads.all()} == {new.id, whole.id}


def test_a_ticket_is_for_one_conversation_and_ends(store: Store) -> None:
    ticket = store.tickets.issue(KEY)
    assert store.tickets.holder(ticket) == KEY and ticket not in str(list((store.home / "tickets").iterdir()))
    assert store.tickets.issue(KEY) != ticket
    for unknown in ("", "x", "../uploads", "\0", "x" * 10_000):
        assert store.tickets.holder(unknown) is None
    for path in (store.home / "tickets").iterdir():
        os.utime(path, (0, time.time() - IDLE_SECONDS + 60))
    assert store.tickets.holder(ticket) == KEY
    # Its use has made it last; the other one has had none.
    store.tickets.sweep(time.time() + 120)
    assert store.tickets.holder(ticket) == KEY and len(list((store.home / "tickets").iterdir())) == 1
    os.utime(next((store.home / "tickets").iterdir()), (0, time.time() - IDLE_SECONDS - 60))
    assert store.tickets.holder(ticket) is None


def test_only_what_no_living_server_works_at_is_taken_over(store: Store) -> None:
    record = IngestRecord("a" * 32, KEY, "a.csv", owner="dead", options={"delimiter": ";"})
    assert store.ingests.add(record) and not store.ingests.add(record)
    assert store.ingests.claim(record.id, "me", {"me", "dead"}) is None
    taken = store.ingests.claim(record.id, "me", {"me"})
    assert taken is not None and (taken.owner, taken.session, taken.options) == (
        "me",
        KEY,
        {"delimiter": ";"},
    )
    assert store.ingests.claim(record.id, "other", {"me", "other"}) is None
    taken.state = "done"
    store.ingests.save(taken)
    assert store.ingests.open() == [] and store.ingests.get(record.id) == taken
    assert store.ingests.claim(record.id, "other", set()) is None
    store.ingests.sweep(time.time() + KEPT_SECONDS + 60)
    assert store.ingests.get(record.id) is None
