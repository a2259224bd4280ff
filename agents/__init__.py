"""The ADK agents, the models that drive them, and the turns in which they run."""
