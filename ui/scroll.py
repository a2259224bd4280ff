"""Brings the newest question into view: once when it was asked, once when a conversation is opened."""

import streamlit as st

SCRIPT = """
<script>
/* TOKEN */
(() => {
  let tries = 0;
  // Whoever has begun to use the page is not moved any more: a click would miss its button.
  const leave = () => { tries = 6; };
  for (const use of ["pointerdown", "wheel", "keydown"]) {
    window.addEventListener(use, leave, { capture: true, once: true, passive: true });
  }
  const show = () => {
    if (tries >= 6) return;
    const messages = document.querySelectorAll('[data-testid="stChatMessage"]');
    const question = messages[messages.length - (messages.length % 2 ? 1 : 2)];
    if (question) question.scrollIntoView({ block: "start", behavior: "instant" });
    if (++tries < 6) setTimeout(show, 150);
  };
  setTimeout(show, 50);
})();
</script>
"""


def to_newest(token: str) -> None:
    """Scrolls once for each `token`: a turn's or a conversation's id, made by us."""
    if st.session_state.get("scrolled_to") == token:
        return
    st.session_state["scrolled_to"] = token
    st.html(SCRIPT.replace("TOKEN", token), unsafe_allow_javascript=True)
