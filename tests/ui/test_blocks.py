"""A turn's parts, as a reader gets them."""

from typing import Any

from ui.blocks import Said, Steps, Verdict, Work, blocks


def step(label: str = "Working", status: str = "done") -> dict[str, Any]:
    return {"kind": "step", "tool": "run_python", "label": label, "status": status, "detail": ""}


def result(result_id: str, run: str = "", **more: Any) -> dict[str, Any]:
    return {"kind": "result", "id": result_id} | ({"run": run} if run else {}) | more


def works(parts: list[dict[str, Any]], *, answering: bool = False) -> list[list[list[str]]]:
    """The results of each version of each piece of work."""
    found = [block for block in blocks(parts, answering=answering) if isinstance(block, Work)]
    return [[version.results for version in work.versions] for work in found]


def attempts(parts: list[dict[str, Any]], *, answering: bool = False) -> list[str]:
    found = [block for block in blocks(parts, answering=answering) if isinstance(block, Steps)]
    return [version.id for steps in found for version in steps.attempts]


def test_steps_come_first_then_words_verdicts_and_work() -> None:
    parts = [
        {"kind": "text", "text": "First"},
        step(),
        result("a"),
        {"kind": "verification", "thread_id": "t"},
        {"kind": "text", "text": "  "},
        step(),
    ]
    kinds = [type(block) for block in blocks(parts)]
    assert kinds == [Steps, Said, Verdict, Work]


def test_outputs_of_one_run_are_one_piece_of_work() -> None:
    parts = [result("a", "r1"), result("b", "r1"), result("c"), result("d", "r2")]
    assert works(parts) == [[["a", "b"]], [["c"]], [["d"]]]


def test_an_edited_run_and_an_edited_tool_result_get_versions() -> None:
    parts = [
        result("a", "r1"),
        result("b"),
        result("c", "r2", version_of="r1"),
        result("d", "r2", version_of="r1"),
        result("e", version_of="b"),
        result("f", "r3", version_of="r1", failed=True),
    ]
    assert works(parts) == [[["a"], ["c", "d"], ["f"]], [["b"], ["e"]]]


def test_a_version_of_something_unknown_stands_alone() -> None:
    assert works([result("a", "r1", version_of="gone")]) == [[["a"]]]


def test_a_failed_run_that_was_corrected_is_an_attempt() -> None:
    parts = [step(), result("a", "r1", failed=True), step(), result("b", "r2")]
    assert (attempts(parts), works(parts)) == (["r1"], [[["b"]]])


def test_a_failed_run_at_the_end_is_shown_in_full_once() -> None:
    parts = [step(), result("a", "r1", failed=True), result("b", "r2", failed=True)]
    assert (attempts(parts), works(parts)) == (["r1"], [[["b"]]])


def test_a_failure_after_a_success_is_shown() -> None:
    parts = [result("a", "r1"), result("b", "r2", failed=True)]
    assert (attempts(parts), works(parts)) == ([], [[["a"]], [["b"]]])


def test_while_answering_a_failed_run_waits_among_the_steps() -> None:
    parts = [step(), result("a", "r1", failed=True)]
    assert (attempts(parts, answering=True), works(parts, answering=True)) == (["r1"], [])


def test_a_failed_attempt_that_somebody_edited_is_work() -> None:
    parts = [result("a", "r1", failed=True), result("b", "r2"), result("c", "r3", version_of="r1")]
    assert works(parts) == [[["a"], ["c"]], [["b"]]]


def test_blocks_do_not_change_with_the_record() -> None:
    parts = [step(status="running")]
    before = blocks(parts)
    parts[0]["status"] = "done"
    assert before != blocks(parts)
