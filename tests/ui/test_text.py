"""Text from data and models is shown, and steers nothing."""

from datetime import UTC, datetime

import pytest

from ui import text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("![x](http://evil.example/?q=1)", "x (`http://evil.example/?q=1`)"),
        ("[click](javascript:alert(1))", "click (javascript:alert(1))"),
        ("see www.evil.example/x", "see `www.evil.example/x`"),
        ("costs $5 and $10", "costs \\$5 and \\$10"),
        (":red[big] and :material/bolt:", "\\:red[big] and \\:material/bolt:"),
        ("**bold** stays, `a$b` too", "**bold** stays, `a$b` too"),
        ("at 10:30 it was 5", "at 10:30 it was 5"),
    ],
)
def test_answers_keep_formatting_and_lose_what_loads_or_links(given: str, shown: str) -> None:
    assert text.answer(given) == shown


def test_reference_style_images_are_defused() -> None:
    assert "](" not in text.answer("![a][1]\n\n[1]: http://evil.example/p.png")
    assert "![" not in text.answer("![a][1]")


def test_literal_text_escapes_every_markdown_character_and_newlines() -> None:
    assert text.literal("a*b_c\n# <b>$x$") == "a\\*b\\_c \\# \\<b\\>\\$x\\$"


def test_addresses_in_literal_text_do_not_become_links() -> None:
    shown = text.literal("http://a.example www.b.example c@d.example")
    for address in ("http\\://", "www\\.", "@d"):
        assert address not in shown


def test_printed_text_loses_terminal_commands_and_signs_that_turn_its_order() -> None:
    assert text.plain("\x1b[31mred\x1b[0m\tand \x1b]0;title\x07on\r\n\x00\u202eok") == "red\tand on\nok"


def test_day_labels() -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    labels = [
        text.day_label(datetime(2026, month, day, 9, tzinfo=UTC).timestamp(), now)
        for month, day in [(3, 10), (3, 9), (3, 5), (1, 31)]
    ]
    assert labels == ["Today", "Yesterday", "Last 7 days", "January 2026"]
