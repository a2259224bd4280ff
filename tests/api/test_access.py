"""Who may ask: tokens, this machine, other pages of the browser, how often; and whose records they see."""

import logging

import pytest
from pydantic import SecretStr

from agents.people import local_person
from agents.settings import Settings, SettingsError
from api.limits import Limiter
from api.people import people
from tests.api.conftest import Client, Serve, ask, problem, two_people, upload
from ui.person import user_id

READS = ["chats", "datasets", "sessions", "sessions/analytics", "topics", "difficulties"]


def test_on_localhost_without_a_token_the_local_person_asks(serve: Serve) -> None:
    served = serve()
    made = served.client().post("chats").json()
    assert served.assistant.conversation(local_person(), made["id"]) is not None
    assert user_id() == local_person()


def test_beyond_localhost_a_token_has_to_be_set(serve: Serve) -> None:
    client = serve(local=False).client()
    for path in READS:
        answer = client.get(path)
        assert "API_TOKEN" in problem(answer, 401)["action"]
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("local", [True, False])
def test_with_a_token_set_it_is_needed(serve: Serve, local: bool) -> None:
    served = serve(local=local, api_token=SecretStr("right-token"))
    for path in READS:
        problem(served.client().get(path), 401)
        problem(served.client("wrong-token").get(path), 401)
        problem(served.client().get(path, headers={"Authorization": "Basic cmlnaHQ="}), 401)
        assert served.client("right-token").get(path).status_code == 200
    made = served.client("right-token").post("chats").json()
    assert served.assistant.conversation(local_person(), made["id"]) is not None


def test_an_upload_without_a_token_is_refused_before_it_is_read(serve: Serve) -> None:
    client = serve(api_token=SecretStr("right-token")).client()
    problem(client.post("datasets", content=b"no multipart", headers={"Content-Type": "text/csv"}), 401)


def test_names_and_tokens_of_several_people(serve: Serve) -> None:
    ann, bob = two_people(serve)
    assert ann.get("chats").status_code == bob.get("chats").status_code == 200
    for tokens in ["ann", "ann:", ":token", "ann:a,", "ann:same,bob:same"]:
        with pytest.raises(SettingsError) as caught:
            people(Settings(api_tokens=SecretStr(tokens)), local=True)
        assert "same'" not in str(caught.value) and ":same" not in str(caught.value)


def test_unusable_tokens_let_nobody_in(serve: Serve) -> None:
    client = serve(api_tokens=SecretStr("no-colon-here")).client("no-colon-here")
    answer = client.get("chats")
    assert "API_TOKENS" in problem(answer, 503)["message"] and "no-colon" not in answer.text
    assert client.get("health/live").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:8501"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
    ],
)
def test_without_a_token_another_name_or_a_proxy_is_refused(serve: Serve, headers: dict[str, str]) -> None:
    served = serve()
    assert "API_TOKEN" in problem(served.client().get("chats", headers=headers), 403)["action"]


def test_without_a_token_another_machine_is_refused(serve: Serve) -> None:
    problem(serve().client(machine=("203.0.113.9", 1)).get("chats"), 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_names_of_this_machine(serve: Serve, host: str) -> None:
    client = serve().client(machine=("::1", 1), base=f"http://{host}:8501/api/")
    assert client.get("chats").status_code == 200


OTHER_PAGES = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8501"},
]


@pytest.mark.parametrize("headers", OTHER_PAGES)
@pytest.mark.parametrize("token", ["", "right-token"])
def test_another_page_changes_nothing(serve: Serve, headers: dict[str, str], token: str) -> None:
    served = serve(api_token=SecretStr(token) if token else None)
    client = served.client(token)
    made = client.post("chats").json()["id"]
    for method, path in [
        ("POST", "chats"),
        ("POST", "datasets"),
        ("POST", f"chats/{made}/duplicate"),
        ("PATCH", f"chats/{made}"),
        ("DELETE", f"chats/{made}"),
        ("DELETE", "sessions/x"),
        ("POST", "ask"),
    ]:
        answer = client.request(method, path, headers=headers)
        assert "another site" in problem(answer, 403)["message"]
    listed = client.get("chats", headers=headers)
    assert [item["id"] for item in listed.json()["items"]] == [made]
    assert not [name for name in listed.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        ("http://localhost:8501/api/", {"Origin": "http://localhost:8501", "Sec-Fetch-Site": "same-origin"}),
        ("http://localhost:8501/api/", {"Sec-Fetch-Site": "none"}),
        ("http://localhost/api/", {"Origin": "http://localhost:80"}),
        ("http://LOCALHOST:8501/api/", {"Origin": "http://localhost:8501"}),
    ],
)
def test_the_servers_own_page_may(serve: Serve, base: str, headers: dict[str, str]) -> None:
    assert serve().client(base=base).post("chats", headers=headers).status_code == 201


def test_a_preflight_is_not_granted(client: Client) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = client.request("OPTIONS", "chats", headers=asked)
    problem(answer, 405)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_too_many_requests_of_one_person(serve: Serve) -> None:
    served = serve(api_tokens=SecretStr("ann:ann-token,bob:bob-token"), api_requests_per_minute=3)
    ann, bob = served.client("ann-token"), served.client("bob-token")
    assert [ann.get("topics").status_code for _ in range(3)] == [200] * 3
    answer = ann.get("topics")
    assert problem(answer, 429)["kind"] == "too_many_requests"
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert bob.get("topics").status_code == 200
    assert ann.get("health/live").status_code == 200


def test_guessing_tokens_is_slow_and_harms_nobody_else(serve: Serve) -> None:
    served = serve(api_token=SecretStr("right-token"), api_requests_per_minute=3)
    guesser = served.client("wrong-token")
    assert [guesser.get("topics").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert served.client("right-token").get("topics").status_code == 200


def test_the_bucket_fills_again() -> None:
    now = 0.0
    limiter = Limiter(60, clock=lambda: now)
    assert [limiter.take("ann") for _ in range(61)] == [0] * 60 + [1]
    now = 1.0
    assert [limiter.take("ann"), limiter.take("ann")] == [0, 1]
    now = 1000.0
    assert [limiter.take("ann") for _ in range(61)] == [0] * 60 + [1]
    slow = Limiter(1, clock=lambda: now)
    assert [slow.take("ann"), slow.take("ann"), slow.take("bob")] == [0, 60, 0]


def test_what_is_somebody_elses_does_not_exist(serve: Serve) -> None:
    ann, bob = two_people(serve)
    uploaded = upload(ann)
    chat, dataset = uploaded["chat_id"], uploaded["dataset"]["id"]
    answered = ask(ann, "total revenue by region", chat)
    result = answered["results"][0]["id"]
    run = ann.post("problems/verified", json={"question": "total revenue", "chat_id": chat}).json()
    thread = run["thread_id"]
    for method, path, body in [
        ("GET", f"chats/{chat}", None),
        ("PATCH", f"chats/{chat}", {"title": "mine"}),
        ("DELETE", f"chats/{chat}", None),
        ("POST", f"chats/{chat}/renew", None),
        ("POST", f"chats/{chat}/duplicate", None),
        ("POST", f"chats/{chat}/stop", None),
        ("GET", f"chats/{chat}/export", None),
        ("GET", f"chats/{chat}/results/{result}", None),
        ("POST", f"chats/{chat}/datasets/{dataset}", None),
        ("DELETE", f"chats/{chat}/datasets/{dataset}", None),
        ("GET", f"datasets/{dataset}", None),
        ("DELETE", f"datasets/{dataset}", None),
        ("POST", "chats", {"dataset_ids": [dataset]}),
        ("POST", "ask", {"question": "total revenue", "chat_id": chat}),
        ("POST", "problems/verified", {"question": "total revenue", "chat_id": chat}),
        ("GET", f"sessions/{thread}", None),
        ("DELETE", f"sessions/{thread}", None),
    ]:
        others = problem(bob.request(method, path, json=body), 404)
        unknown = path.replace(chat, "unknown").replace(dataset, "unknown").replace(thread, "unknown")
        missing = {"dataset_ids": ["unknown"]} if path == "chats" else body and body | {"chat_id": "unknown"}
        if "title" in (body or {}):
            missing = body
        nobodys = problem(bob.request(method, unknown, json=missing), 404)
        assert {**others, "message": ""} == {**nobodys, "message": ""}, path
    own = bob.post("chats").json()["id"]
    problem(bob.post(f"chats/{own}/datasets/{dataset}"), 404)
    problem(bob.get(f"chats/{own}/results/{result}"), 404)
    assert [bob.get(path).json()["items"] for path in ("datasets", "sessions")] == [[], []]
    assert [item["id"] for item in bob.get("chats").json()["items"]] == [own]
    assert bob.get("sessions/analytics").json()["total"] == 0
    assert ann.get(f"chats/{chat}").json()["title"] == "total revenue by region"
    assert ann.get(f"chats/{own}").status_code == 404


def test_tokens_show_nowhere(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    served = serve(api_token=SecretStr("right-token"))
    answers = [
        client.request(method, path)
        for client in (served.client("right-token"), served.client("guessed-token"))
        for method in ("GET", "POST", "DELETE")
        for path in ("chats", "health", "nowhere", "openapi.json")
    ]
    for answer in answers:
        assert "right-token" not in answer.text and "guessed-token" not in answer.text
    assert "right-token" not in caplog.text and "guessed-token" not in caplog.text


def test_answers_are_kept_by_no_cache(client: Client) -> None:
    for path in ("chats", "nowhere", "health"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
