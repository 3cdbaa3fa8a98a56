"""What the pipeline file says under `about`, quoted; what it does not say is missing."""

from __future__ import annotations

from modelcycle.documents.outline import Missing, Part, escaped
from modelcycle.spec import About

MEANINGS = {name: field.description or name for name, field in About.model_fields.items()}


def said(about: About, key: str) -> Part:
    """Return what the user wrote under a key of `about`, or that it is missing.

    >>> said(About(purpose="Whom to call first."), "purpose")
    'Whom to call first.'
    >>> said(About(), "owner").remedy
    'write `about.owner` in the pipeline file'
    """
    text: str | None = getattr(about, key)
    if text is None:
        return Missing(MEANINGS[key], f"write `about.{key}` in the pipeline file")
    return escaped(text)
