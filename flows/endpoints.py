"""The table of providers: where each is, what it speaks, how it takes its key; and what settings change.

Strategy. A provider that is known needs a key and nothing else; one that is not needs an address. Nothing
here is told to a provider: the address of one is never made of what a caller says, so the list of places
that can be called is the list of those that were set. Addresses of Groq and Together are those of their
documentation on 2026-11-22, those of the others as clients of theirs have them; whose address has moved
is set in ``upstreams.NAME.base_url``. The variables of OpenAI, Azure, Anthropic and Google are those that
their Python clients read.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from connectors._upstream import Auth, Timeouts, Upstream
from connectors.decoders import API_NAMES
from flows.settings import Settings, secret
from flows.upstream_settings import UpstreamSettings

__all__ = ["ENDPOINTS", "Endpoint", "upstream", "vendor_of"]


class Endpoint(NamedTuple):
    """What is known about a provider."""

    base_url: str
    """Empty: everybody has another, it must be set."""
    api: str
    key: str = ""
    """The variable that the vendor's documentation puts the key in; empty: none is needed."""
    auth: Auth = "bearer"
    models: str = "/models"
    """The path that lists its models."""


ENDPOINTS = {
    "openai": Endpoint("https://api.openai.com/v1", "openai-chat", "OPENAI_API_KEY"),
    "anthropic": Endpoint(
        "https://api.anthropic.com/v1", "anthropic-messages", "ANTHROPIC_API_KEY", "x-api-key"
    ),
    "gemini": Endpoint(
        "https://generativelanguage.googleapis.com/v1beta", "gemini-generate", "GEMINI_API_KEY",
        "x-goog-api-key",
    ),
    "ollama": Endpoint("http://127.0.0.1:11434/v1", "openai-chat"),
    "vllm": Endpoint("http://127.0.0.1:8000/v1", "vllm-chat"),
    "lmstudio": Endpoint("http://127.0.0.1:1234/v1", "lmstudio-chat"),
    "groq": Endpoint("https://api.groq.com/openai/v1", "groq-chat", "GROQ_API_KEY"),
    "mistral": Endpoint("https://api.mistral.ai/v1", "mistral-chat", "MISTRAL_API_KEY"),
    "deepseek": Endpoint("https://api.deepseek.com", "deepseek-chat", "DEEPSEEK_API_KEY"),
    "openrouter": Endpoint("https://openrouter.ai/api/v1", "openrouter-chat", "OPENROUTER_API_KEY"),
    "xai": Endpoint("https://api.x.ai/v1", "xai-chat", "XAI_API_KEY"),
    "together": Endpoint("https://api.together.ai/v1", "together-chat", "TOGETHER_API_KEY"),
    "azure": Endpoint("", "azure-chat", "AZURE_OPENAI_API_KEY", "api-key"),
    "fireworks": Endpoint("https://api.fireworks.ai/inference/v1", "fireworks-chat", "FIREWORKS_API_KEY"),
    "perplexity": Endpoint("https://api.perplexity.ai", "perplexity-chat", "PERPLEXITY_API_KEY"),
    "cerebras": Endpoint("https://api.cerebras.ai/v1", "cerebras-chat", "CEREBRAS_API_KEY"),
}  # fmt: skip

_VENDORS = {
    "gpt-": "openai", "chatgpt-": "openai", "o1": "openai", "o3": "openai", "o4": "openai",
    "claude-": "anthropic", "gemini-": "gemini",
}  # fmt: skip
_SHAPES = {"azure": "https://RESOURCE.openai.azure.com/openai/v1"}


def vendor_of(model: str, settings: Settings) -> tuple[str, str]:
    """The provider that `model` names, and what is left as the model's own name.

    :raises ValueError: If it names none.

    >>> from flows.settings import Settings
    >>> vendor_of("groq/openai/gpt-oss-20b", Settings()), vendor_of("claude-sonnet-4-5", Settings())
    (('groq', 'openai/gpt-oss-20b'), ('anthropic', 'claude-sonnet-4-5'))
    """
    vendor, slash, name = model.partition("/")
    if slash and name and (vendor in ENDPOINTS or vendor in settings.upstreams):
        return vendor, name
    for prefix, known in _VENDORS.items():
        if model.startswith(prefix) and not slash:
            return known, model
    names = ", ".join(dict.fromkeys([*ENDPOINTS, *settings.upstreams]))
    msg = f"model {model!r}: say whose it is, as in groq/{name or model}; there are {names}"
    raise ValueError(msg)


def upstream(name: str, settings: Settings, *, retries: int = 0, environment: bool = False) -> Upstream:
    """How the provider `name` is called.

    :arg retries: Where settings say nothing.

    :arg environment: Whether a key that is not set is looked for where the vendor's documentation puts it.

    :raises ValueError: If nothing is known about it, or something that is set cannot be right.

    """
    known = ENDPOINTS.get(name, Endpoint("", "openai-chat"))
    given = settings.upstreams.get(name, UpstreamSettings())
    place = f"settings: upstreams.{name}"
    variable = f"MIDSTREAM_UPSTREAMS__{name.upper()}__"
    if not (given.base_url or known.base_url):
        like = _SHAPES.get(name, "https://HOST/v1")
        msg = f"{place}.base_url is missing ({variable}BASE_URL): {like}"
        raise ValueError(msg)
    api = given.api or known.api
    if api not in API_NAMES:
        msg = f"{place}.api: no API is named {api!r}; there are: {', '.join(API_NAMES)}"
        raise ValueError(msg)
    key = secret(given.api_key).decode()
    if not key and environment and known.key and not given.base_url:  # their key goes to them alone
        key = os.environ.get(known.key, "").strip()
        if not key and known.auth != "none":
            msg = f"{place}.api_key is missing: set {variable}API_KEY, or {known.key}"
            raise ValueError(msg)
    try:
        return Upstream(
            name, api, given.base_url or known.base_url, key,
            auth=given.auth or known.auth,
            headers=tuple((header, value.get_secret_value()) for header, value in given.headers.items()),
            query=(("api-version", given.api_version),) if given.api_version else (),
            proxy=secret(given.proxy).decode(),
            http2=given.http2,
            ca_file=given.ca_file,
            timeouts=Timeouts(
                given.connect, given.write, given.pool, given.first_byte, given.between_bytes, given.total
            ),
            retries=retries if given.retries is None else given.retries,
            max_connections=given.max_connections,
        )  # fmt: skip
    except ValueError as error:
        msg = f"settings: {error}"
        raise ValueError(msg) from None
