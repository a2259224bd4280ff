"""A model's life with its conversation: trained by a question, used after a restart, copied, deleted."""

import io
from pathlib import Path

from agents.assistant import Assistant
from storage.keys import SessionKey
from storage.results import Result
from tests.agents.conftest import Open, ask, result_ids, said, with_sample


def newest(made: Assistant, key: SessionKey) -> Result:
    return made.store.results.for_session(key)[-1]


def models_in(made: Assistant) -> list[Path]:
    return sorted((made.store.home / "models").rglob("*.model"))


def test_a_trained_model_predicts_after_a_restart_and_goes_with_its_conversation(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    record = ask(made, key, "train a tree to predict revenue from quantity and unit price")
    assert "The best model of revenue is tree" in said(record) and len(result_ids(record)) == 1
    (file,) = models_in(made)
    trained = newest(made, key)
    assert trained.kind == "model" and file.stem == trained.output["model"]["sha256"]
    record = ask(made, key, "predict revenue for quantity 3 and unit price 10")
    before = newest(made, key).output["table"]["rows"]

    made = assistant()
    assert said(ask(made, key, "list models")).startswith("**1** model; the newest predicts revenue (tree).")
    record = ask(made, key, "predict revenue for quantity 3 and unit price 10")
    assert "Predicted revenue: **" in said(record) and newest(made, key).output["table"]["rows"] == before
    upload = io.BytesIO(b"unit_price,quantity,comment\n10,3,a\n20,1,b\n")
    made.upload(key, "fresh.csv", upload)
    text = said(ask(made, key, "predict with the model"))
    assert text.startswith("Predicted revenue of 2 rows")
    assert "comment" in " ".join(newest(made, key).notes)

    copy = made.duplicate_session(key)
    assert len(models_in(made)) == 2
    exported = io.BytesIO()
    made.export_session(key, exported)
    made.delete_session(key)
    assert len(models_in(made)) == 1
    assert "Predicted revenue" in said(ask(made, copy, "predict revenue for quantity 2 and unit price 5"))

    brought = made.import_session("ann", io.BytesIO(exported.getvalue()))
    assert len(models_in(made)) == 1
    text = said(ask(made, brought, "predict revenue for quantity 2 and unit price 5"))
    assert "The model's file is not here. Train it again." in text


def test_leftovers_are_swept(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    kept = made.store.models.save(key, b"kept")
    made.store.models.save(SessionKey("agents", "ann", "gone"), b"left over")
    made.store.sweep()
    assert [path.stem for path in models_in(made)] == [kept]
