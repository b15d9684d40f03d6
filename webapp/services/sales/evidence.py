"""The evidence of a signature, as it comes in: who signed, how, and from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.sales import MAX_DRAWING_BYTES, MAX_DRAWING_LENGTH, MAX_TYPED_LENGTH
from webapp.services.common.exceptions import Invalid
from webapp.services.sales.signed_document import is_png_data_url


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who signed what, how, and from where; `recorded_by` is set when staff record it.

    `selection` is what was chosen of the proposal (`id`, `quantity`).
    """

    signer_name: str
    signer_email: str | None
    method: str
    data: str | None = None
    consent_text: str | None = None
    consent_version: str | None = None
    locale: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    content_sha256: str | None = None
    recorded_by: str | None = None
    selection: Sequence[Mapping[str, Any]] | None = None

    def check(self) -> None:
        """Raises Invalid naming `signature.data` for one that is empty, too long or unreadable."""
        data = self.data or ""
        wrong = None
        if self.method == "typed" and not data.strip():
            wrong = "Type your name as your signature."
        elif self.method == "typed" and len(data) > MAX_TYPED_LENGTH:
            wrong = f"A typed signature is a name: at most {MAX_TYPED_LENGTH} characters."
        elif self.method == "drawn" and len(data) > MAX_DRAWING_LENGTH:
            wrong = f"The drawing is too large: at most {MAX_DRAWING_BYTES // 1000} kB."
        elif self.method == "drawn" and not is_png_data_url(data):
            wrong = "The drawing is not a readable PNG; draw again."
        if wrong:
            raise Invalid({"signature.data": [wrong]})
