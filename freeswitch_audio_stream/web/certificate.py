"""What a server shows of itself with TLS: a certificate and its key, in PEM files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from ..errors import SettingError


@dataclass(frozen=True)
class Certificate:
    """The files, and what they are called where they are set; errors name both."""

    cert_file: str
    key_file: str = ""
    """Empty: the key is in `cert_file`."""
    cert_setting: str = "cert-file"
    key_setting: str = "key-file"
    owner: str = "the server's user"
    """Who alone should be able to read the key."""

    def context(self, server: str) -> ssl.SSLContext:
        """Return a context for TLS 1.2 and later. Raise SettingError where the files cannot be used by `server`.

        Reads files, and may block for as long as that takes.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        key = self.key_file or None

        def no_password() -> str:
            raise SettingError(f"the key of {server}, {key or self.cert_file}, is encrypted: store it without a "
                               f"passphrase, readable by {self.owner} only")
        try:
            context.load_cert_chain(self.cert_file, key, no_password)
        except (OSError, ssl.SSLError) as error:
            raise SettingError(f"{server} cannot use its certificate and key ({self.cert_setting} {self.cert_file}, "
                               f"{self.key_setting} {key or 'not set'}): {error.strerror or error}") from error
        return context
