"""A certificate that nobody knows, for servers of tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def certificate_for(folder: Path, name: str = "IP:127.0.0.1") -> Path:
    """A certificate for ``name`` (as OpenSSL writes it), its own authority, and its key, in one
    file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    both, certificate = folder / "both.pem", folder / "cert.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=double", "-keyout", str(both)]
    command += ["-addext", f"subjectAltName={name}", "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both.write_text(both.read_text() + certificate.read_text())
    return both
