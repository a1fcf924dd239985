"""Where the credentials for a bucket come from: the name of the source, never what it holds."""

import os
from pathlib import Path

SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""Variables of the environment that nothing may show."""
_ROLE = "the role of this machine or container, if it has one"


def credentials_source(scheme: str, anonymous: bool = False) -> str:
    """Return which source a client of this scheme uses, in the order in which the vendors' clients look.

    Args:
        scheme: of the address: "s3", "gs".
        anonymous: whether the address asks for none.
    """
    if anonymous:
        return "none (anonymous@)"
    return {"s3": _amazon, "gs": _google}.get(scheme, lambda: "the environment")()


def masked(text: str) -> str:
    """Return a store's words without the keys that the environment holds, which it might repeat."""
    for secret in filter(None, map(os.environ.get, SECRETS)):
        text = text.replace(secret, "***")
    return text


def _amazon() -> str:
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return "AWS_ACCESS_KEY_ID in the environment"
    if profile := os.environ.get("AWS_PROFILE"):
        return f"AWS_PROFILE={profile}"
    if os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return "AWS_WEB_IDENTITY_TOKEN_FILE in the environment"
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    return f"the default profile in {file}" if file.is_file() else _ROLE


def _google() -> str:
    if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return "GOOGLE_APPLICATION_CREDENTIALS in the environment"
    file = Path("~/.config/gcloud/application_default_credentials.json").expanduser()
    return str(file) if file.is_file() else _ROLE
