"""The few rules that Streamlit's theme settings cannot express; colours come from the theme."""

import streamlit as st

CSS = """
<style>
.stMainBlockContainer { max-width: 68rem; padding-top: 3.75rem; padding-bottom: 7rem; }
.stBottomBlockContainer, [data-testid="stBottomBlockContainer"] { max-width: 68rem; }
[data-testid="stSidebarContent"] .stButton button { justify-content: flex-start; text-align: left; }
[data-testid="stSidebarContent"] .stButton button p {
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
[data-testid="stSidebarContent"] .stButton button > div { min-width: 0; justify-content: flex-start; }
[data-testid="stSidebarContent"] .stCheckbox label p { font-size: 0.86rem; white-space: nowrap; }
[data-testid="stSidebarContent"] [data-testid="stAlert"] p { font-size: 0.86rem; }
[data-testid="stSidebarContent"] [class*="session-"] button {
  padding: 0.3rem 0.6rem; min-height: 0; border-radius: 0.5rem;
}
[data-testid="stSidebarContent"] [class*="session-"] button:hover {
  background: color-mix(in srgb, currentColor 6%, transparent);
}
[class*="st-key-current-session"] [class*="st-key-open-"] button {
  background: color-mix(in srgb, currentColor 9%, transparent); font-weight: 600;
}
/* It would stop the page's script, not the answer, which has a Stop of its own. */
[data-testid="stStatusWidget"] { display: none; }
[data-testid="stChatMessage"] {
  scroll-margin-top: 4rem; background: transparent; padding-left: 0; padding-right: 0;
}
[class*="st-key-draft-"] textarea {
  font-family: "JetBrains Mono", monospace; font-size: 0.82rem; line-height: 1.55; tab-size: 4;
}
[data-testid="stMetric"] { padding: 0.9rem 1.1rem; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
}
</style>
"""


def apply() -> None:
    """Adds the page's own rules; call once per script run, before anything is drawn."""
    st.html(CSS)
