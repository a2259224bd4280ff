"""Settings with Streamlit's secrets as one of their sources."""

import streamlit as st

from agents.settings import Settings


def read_settings() -> Settings:
    """Environment over .env over Streamlit secrets over defaults. Raises SettingsError."""
    return Settings.load(dict(st.secrets) if st.secrets.load_if_toml_exists() else {})
