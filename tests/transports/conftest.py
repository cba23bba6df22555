from __future__ import annotations

from pathlib import Path

import pytest

from . import certificates
from .certificates import DAY, Certificate


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="session")
def ca(folder: Path) -> Certificate:
    """A private CA, which the system does not know."""
    return certificates.make(folder, "ca", ca=True, hosts=())


@pytest.fixture(scope="session")
def good(folder: Path, ca: Certificate) -> Certificate:
    """Valid, for every local name, signed by the private CA."""
    return certificates.make(folder, "good", issuer=ca)


@pytest.fixture(scope="session")
def expired(folder: Path, ca: Certificate) -> Certificate:
    return certificates.make(folder, "expired", issuer=ca, begins=-2 * DAY, ends=-DAY)


@pytest.fixture(scope="session")
def not_yet(folder: Path, ca: Certificate) -> Certificate:
    return certificates.make(folder, "not-yet", issuer=ca, begins=DAY, ends=2 * DAY)


@pytest.fixture(scope="session")
def elsewhere(folder: Path, ca: Certificate) -> Certificate:
    """For another host."""
    return certificates.make(folder, "elsewhere", issuer=ca, hosts=("elsewhere.example",))


@pytest.fixture(scope="session")
def self_signed(folder: Path) -> Certificate:
    return certificates.make(folder, "self-signed")


@pytest.fixture(scope="session")
def self_signed_expired(folder: Path) -> Certificate:
    return certificates.make(folder, "self-signed-expired", begins=-2 * DAY, ends=-DAY)


@pytest.fixture(scope="session")
def self_signed_elsewhere(folder: Path) -> Certificate:
    return certificates.make(folder, "self-signed-elsewhere", hosts=("elsewhere.example",))
