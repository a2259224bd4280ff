"""What code gave, through the API: kinds without a table, failed runs, files."""

from collections.abc import Callable

from pydantic import SecretStr

from tests.api.conftest import Serve, ask, problem, upload
from tests.servers.gemini import GeminiServer, call, text

CODE = (
    "open('<b>ä.html', 'w').write('<script>alert(1)</script>')\nshow({'a': [1]}, title='Text')\nprint('said')"
)


def test_results_of_code_are_served_and_a_file_as_plain_bytes(
    serve: Serve, gemini: Callable[..., GeminiServer]
) -> None:
    server = gemini(
        [[call("transfer_to_agent", agent_name="analysis_agent")]],
        [[call("run_python", code="1 / 0")]],
        [[call("run_python", code=CODE, title="Odd")]],
        [[text("Done.")]],
    )
    served = serve(google_api_key=SecretStr("test"), gemini_base_url=server.url)
    client = served.client()
    chat = str(upload(client)["chat_id"])
    client.patch(f"chats/{chat}", json={"mode": "code"})
    answer = ask(client, "write a file", chat)
    failed, *outputs = answer["results"]
    assert (failed["status"], failed["output"]["failure"]["type"]) == ("failed", "ZeroDivisionError")
    assert answer["turn"]["result_ids"] == [failed["id"], *[output["id"] for output in outputs]]
    assert outputs[0]["output"]["printed"] == "said\n"
    file = next(output for output in outputs if output["kind"] == "file")
    for result in answer["results"]:
        assert client.get(f"chats/{chat}/results/{result['id']}").json() == result
    got = client.get(f"chats/{chat}/results/{file['id']}/file")
    assert (got.status_code, got.content) == (200, b"<script>alert(1)</script>")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''%3Cb%3E%C3%A4.html"
    problem(client.get(f"chats/{chat}/results/{failed['id']}/file"), 404)
    imported = client.post("chats/import", files={"file": client.get(f"chats/{chat}/export").content}).json()
    turn = client.get(f"chats/{imported['id']}").json()["turns"][0]
    kinds = {
        result["kind"]: result["id"]
        for result in (
            client.get(f"chats/{imported['id']}/results/{found}").json() for found in turn["result_ids"]
        )
    }
    assert client.get(f"chats/{imported['id']}/results/{kinds['file']}/file").content == got.content
