"""Which model answers: chosen once at start, explicitly, and always shown.

A bad key is never hidden behind the planner: with a key the model is Gemini, and a refusal is shown.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from google.adk.models.base_llm import BaseLlm

from agents.gemini import PatientGemini, open_gemini
from agents.planner.llm import PlannerLlm
from agents.settings import DEFAULT_MODEL, Settings

# The client of OpenAI-compatible servers insists on a key; servers on one's own machine ask for none.
NO_KEY = "none"


@dataclass(frozen=True)
class ModelChoice:
    """The model and how it is called on the page."""

    kind: str
    """gemini, openai or planner."""
    name: str
    label: str
    llm: BaseLlm = field(repr=False)
    notice: str | None = None

    async def close(self) -> None:
        """Closes connections to the model."""
        if isinstance(self.llm, PatientGemini):
            await self.llm.close()


def choose_model(settings: Settings) -> ModelChoice:
    """A server by URL, else Gemini with a key (or Vertex settings), else the built-in planner."""
    if settings.model_url:
        return _openai(settings, settings.model_url)
    if settings.google_api_key or settings.vertex:
        return _gemini(settings)
    return ModelChoice("planner", "built-in-planner", "built-in planner", PlannerLlm())


def _gemini(settings: Settings) -> ModelChoice:
    name = settings.model or DEFAULT_MODEL
    key = None if settings.vertex else settings.google_api_key
    llm = open_gemini(name, key=key, base_url=settings.gemini_base_url)
    return ModelChoice("gemini", name, f"Gemini ({name})", llm)


def _openai(settings: Settings, url: str) -> ModelChoice:
    from google.adk.integrations.openai import OpenAILlm

    name = settings.model or "default"
    key = settings.model_api_key
    llm = OpenAILlm(model=name, base_url=url, api_key=key.get_secret_value() if key else NO_KEY)
    notice = None if settings.model else "MODEL is not set, so the server is asked for 'default'."
    return ModelChoice("openai", name, f"{name} at {urlsplit(url).netloc}", llm, notice)
