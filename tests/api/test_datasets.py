"""Uploads over HTTP: read, described, shared, deleted; what is no table, and what is too large."""

from collections.abc import AsyncIterator

import pandas as pd
import pytest

from tests.api.conftest import Client, Serve, problem, upload


def test_an_upload_is_described(client: Client, orders: pd.DataFrame) -> None:
    uploaded = upload(client)
    dataset = uploaded["dataset"]
    assert (dataset["name"], dataset["file_name"], dataset["rows"]) == ("orders", "orders.csv", len(orders))
    columns = {column["name"]: column for column in dataset["columns"]}
    assert list(columns) == list(orders.columns)
    assert columns["revenue"]["mean"] == pytest.approx(orders["revenue"].mean())
    assert columns["rating"]["missing"] == orders["rating"].isna().sum()
    assert client.get(f"datasets/{dataset['id']}").json() == dataset
    assert client.get("datasets").json() == {"items": [dataset]}
    chat = client.get(f"chats/{uploaded['chat_id']}").json()
    assert chat["datasets"] == [dataset]
    assert "path" not in str(dataset)


def test_the_same_bytes_are_the_same_dataset(client: Client) -> None:
    first = upload(client)
    again = upload(client, chat_id=first["chat_id"])
    assert again == first
    assert upload(client)["chat_id"] != first["chat_id"]
    assert len(client.get("datasets").json()["items"]) == 1


def test_changed_bytes_are_a_new_version(client: Client) -> None:
    def send(content: bytes) -> dict[str, object]:
        found: dict[str, object] = client.post("datasets", files={"file": ("a.csv", content)}).json()[
            "dataset"
        ]
        return found

    assert [send(b"x,y\n1,2\n")["version"], send(b"x,y\n1,3\n")["version"]] == [1, 2]


def test_a_deleted_dataset_is_gone_everywhere(serve: Serve) -> None:
    served = serve()
    client = served.client()
    uploaded = upload(client)
    dataset = uploaded["dataset"]["id"]
    assert list((served.settings.home / "datasets").rglob("original"))
    assert client.delete(f"datasets/{dataset}").status_code == 204
    problem(client.delete(f"datasets/{dataset}"), 404)
    problem(client.get(f"datasets/{dataset}"), 404)
    assert client.get(f"chats/{uploaded['chat_id']}").json()["datasets"] == []
    assert not list((served.settings.home / "datasets").rglob("original"))


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\x03" * 100, b"a,b\n"])
def test_what_is_no_table_leaves_nothing(client: Client, content: bytes) -> None:
    error = problem(client.post("datasets", files={"file": ("a.csv", content)}), 422)
    assert error["message"]
    assert client.get("chats").json()["items"] == [] and client.get("datasets").json()["items"] == []


def test_an_upload_beyond_the_limit_is_refused(serve: Serve) -> None:
    client = serve(upload_limit_mb=1).client()
    row = b"1,2\n"
    fits = b"a,b\n" + row * (999_000 // len(row))
    assert client.post("datasets", files={"file": ("a.csv", fits)}).status_code == 201
    beyond = b"a,b\n" + row * (1_050_000 // len(row))
    assert (
        "UPLOAD_LIMIT_MB"
        in problem(client.post("datasets", files={"file": ("a.csv", beyond)}), 413)["action"]
    )
    declared = client.post("datasets", content=b"x", headers={"Content-Length": "9" * 30})
    problem(declared, 413)

    async def pieces() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(40):
            yield b"x" * 100_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    problem(client.post("datasets", content=pieces(), headers=headers), 413)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../etc/passwd.csv", "passwd.csv"), ("C:\\data\\sales.csv", "sales.csv"),
        ("x" * 300 + ".csv", ("x" * 300 + ".csv")[-200:]), ("Umsätze 2026.csv", "Umsätze 2026.csv"),
        ("'; DROP TABLE datasets; --.csv", "'; DROP TABLE datasets; --.csv"),
    ],
)  # fmt: skip
def test_a_file_name_is_only_a_name(client: Client, name: str, stored: str) -> None:
    answer = client.post("datasets", files={"file": (name, b"x,y\n1,2\n3,4\n")})
    assert answer.status_code == 201, answer.text
    assert answer.json()["dataset"]["file_name"] == stored


def test_a_form_that_does_not_fit(client: Client) -> None:
    problem(client.post("datasets", json={"file": "x"}), 415)
    problem(client.post("datasets"), 422)
    problem(client.post("datasets", data={"file": "text"}), 415)
    problem(client.post("datasets", files={"file": (" ", b"x,y\n1,2\n")}), 422)
    broken = {"Content-Type": "multipart/form-data"}
    problem(client.post("datasets", content=b"--x\r\n", headers=broken), 422)
    answer = client.post("datasets", files={"file": ("a.csv", b"x\n1\n")}, data={"chat_id": "unknown"})
    problem(answer, 404)
