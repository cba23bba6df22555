"""Which errors of the service are final: asked again, it would only refuse again."""

from __future__ import annotations

from typing import Any

FINAL_CODES = frozenset({
    "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated",
    "organization_deactivated", "invalid_api_key", "invalid_organization", "invalid_project",
    "unsupported_country_region_territory", "model_not_found", "beta_api_shape_disabled"})
"""Codes about an account, a key or a model."""
FINAL_TYPES = frozenset({"insufficient_quota", "authentication_error", "permission_error"})
EXPIRED = "session_expired"
NOTHING_TO_CANCEL = "response_cancel_not_active"
IS_ANSWERING = "conversation_already_has_active_response"


def is_final(code: Any, kind: Any = None) -> bool:
    """Return whether an error of this ``code`` or ``type`` is final; either may be None."""
    return code in FINAL_CODES or kind in FINAL_TYPES


def describe(error: dict[str, Any]) -> str:
    """Return an error of the service as one sentence for the log."""
    message = str(error.get("message") or "no reason was given")
    word = error.get("code") or error.get("type")
    return f"{message[:500]} ({word})" if word else message[:500]
