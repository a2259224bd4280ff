"""Connections over REST: listed, their tables listed, a table attached to a chat and asked about."""

from pathlib import Path

from pydantic import SecretStr

from tests.api.conftest import Serve, ask, problem
from tests.engines import shop


def test_a_table_of_a_connection_is_attached_and_answers(serve: Serve, tmp_path: Path) -> None:
    shop.into_sqlite(tmp_path / "shop.db", shop.parquet(tmp_path))
    url = SecretStr(f"sqlite:///{tmp_path}/shop.db")
    client = serve(connections={"shop": url, "gone": SecretStr("sqlite:////no/such.db")}).client()
    assert client.get("connections").json() == {
        "items": [{"name": "shop", "engine": "SQLite"}, {"name": "gone", "engine": "SQLite"}]
    }
    tables = client.get("connections/shop/tables").json()
    assert tables == {"schemas": ["main"], "items": [{"schema_name": "main", "name": "orders"}]}
    choice = {"table": "orders", "schema_name": "main"}
    attached = client.post("connections/shop/datasets", json=choice)
    assert attached.status_code == 201 and attached.json()["dataset"]["rows"] == 18047
    answer = ask(client, "total amount by segment", attached.json()["chat_id"])
    assert answer["results"] and answer["turn"]["status"] == "completed"
    problem(client.get("connections/none/tables"), 404)
    assert "cannot be reached" in problem(client.get("connections/gone/tables"), 422)["message"]
    bad = client.post("connections/shop/datasets", json={"table": "nothing", "schema_name": "main"})
    assert "no such table" in problem(bad, 422)["message"]
    assert len(client.get("chats").json()["items"]) == 1
