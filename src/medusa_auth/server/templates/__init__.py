"""Pages and mails."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

__all__ = ["environment"]


def environment() -> Environment:
    """The templates of this folder. In HTML whatever is put in is escaped; in a text there is nothing to escape."""
    return Environment(
        loader=PackageLoader("medusa_auth.server"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
