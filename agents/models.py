"""Which model answers: chosen once at start, explicitly, and always shown.

A bad key is never hidden behind the planner: with a key the model is Gemini, and a refusal is shown.
"""

from dataclasses import dataclass, field

from google.adk.models.base_llm import BaseLlm
from google.adk.models.google_llm import Gemini
from google.genai import types

from agents.planner.llm import PlannerLlm
from agents.settings import DEFAULT_MODEL, Settings

ATTEMPTS = 3
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 8.0
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


def choose_model(settings: Settings) -> ModelChoice:
    """A server by URL, else Gemini with a key (or Vertex settings), else the built-in planner."""
    if settings.model_url:
        return _openai(settings)
    if settings.google_api_key or settings.vertex:
        return _gemini(settings)
    return ModelChoice("planner", "built-in-planner", "built-in planner", PlannerLlm())


def _gemini(settings: Settings) -> ModelChoice:
    name = settings.model or DEFAULT_MODEL
    key = settings.google_api_key
    llm = Gemini(
        model=name,
        base_url=settings.gemini_base_url,
        client_kwargs={"api_key": key.get_secret_value()} if key and not settings.vertex else None,
        retry_options=types.HttpRetryOptions(
            attempts=ATTEMPTS, initial_delay=FIRST_DELAY_SECONDS, max_delay=LONGEST_DELAY_SECONDS
        ),
    )
    return ModelChoice("gemini", name, f"Gemini ({name})", llm)


def _openai(settings: Settings) -> ModelChoice:
    from google.adk.integrations.openai import OpenAILlm

    name = settings.model or "default"
    key = settings.model_api_key
    llm = OpenAILlm(
        model=name,
        base_url=settings.model_url,
        api_key=key.get_secret_value() if key else NO_KEY,
    )
    notice = None if settings.model else "MODEL is not set, so the server is asked for 'default'."
    return ModelChoice("openai", name, f"{name} at {settings.model_url}", llm, notice)
