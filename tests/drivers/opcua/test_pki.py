"""The folder of certificates: our own, trusted, rejected."""

import stat
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from drivers.opcua.pki import Pki, PkiError, shown, thumbprint
from simulators.opcua_certificate import kept_certificate, new_certificate

URI = "urn:tests:server"


def test_our_certificate_is_made_once_and_kept(tmp_path):
    pki = Pki(tmp_path / "pki")
    own = pki.own()
    assert pki.own() == own == Pki(tmp_path / "pki").own()
    key = tmp_path / "pki" / "own" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "pki").iterdir()] == ["own"]


def test_our_certificate_is_an_application_certificate(tmp_path):
    own = Pki(tmp_path).own()
    certificate = x509.load_der_x509_certificate(own.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [own.uri]
    assert own.uri.startswith("urn:")
    assert own.uri.endswith(":tagbridge")
    assert names.get_values_for_type(x509.DNSName)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.data_encipherment
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=3000)
    assert load_pem_private_key(own.key, None).public_key() == certificate.public_key()


def test_several_links_that_start_together_have_one_certificate(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.append(Pki(tmp_path).own())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1


@pytest.mark.parametrize("file", ["certificate.der", "key.pem"])
@pytest.mark.parametrize("damage", ["cut", "another"])
def test_a_damaged_pair_is_said_and_never_replaced(tmp_path, file, damage):
    pki = Pki(tmp_path)
    pki.own()
    path = tmp_path / "own" / file
    other = dict(zip(["certificate.der", "key.pem"], new_certificate(URI), strict=True))[file]
    text = path.read_bytes()[:50] if damage == "cut" else other
    path.write_bytes(text)
    with pytest.raises(PkiError, match="no certificate and its key") as caught:
        pki.own()
    assert "backup" in caught.value.remedy
    assert path.read_bytes() == text


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "pki").write_text("a file")
    for act in (lambda pki: pki.own(), lambda pki: pki.reject(b"x")):
        with pytest.raises(PkiError) as caught:
            act(Pki(tmp_path / "pki"))
        assert "pki: {folder: …}" in caught.value.remedy


def test_a_rejected_certificate_can_be_accepted(tmp_path):
    pki = Pki(tmp_path)
    der, _ = new_certificate(URI)
    assert not pki.is_trusted(der)
    pki.reject(der)
    pki.reject(der)
    (rejected,) = pki.rejected()
    assert rejected == shown(der)
    assert rejected.uris == (URI,)
    assert not pki.is_trusted(der)
    written = ":".join(rejected.thumbprint[i : i + 2] for i in range(0, 40, 2)).lower()
    assert pki.accept(written) == rejected
    assert pki.is_trusted(der)
    assert pki.trusted() == [rejected]
    assert pki.rejected() == []
    assert not pki.is_trusted(new_certificate(URI)[0])


@pytest.mark.parametrize("name", ["", "12", "0" * 40, "../own/key"])
def test_what_was_not_rejected_cannot_be_accepted(tmp_path, name):
    pki = Pki(tmp_path)
    pki.reject(new_certificate(URI)[0])
    with pytest.raises(KeyError):
        pki.accept(name)
    assert pki.trusted() == []


def test_certificates_that_people_copy_there_are_trusted_in_any_form(tmp_path):
    pki = Pki(tmp_path)
    der, _ = new_certificate(URI)
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "note.txt").write_text("not a certificate")
    (tmp_path / "trusted" / "broken.der").write_bytes(b"\x30\x82nonsense")
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    (tmp_path / "trusted" / "press.CRT").write_bytes(pem)
    assert pki.is_trusted(der)
    assert [each.thumbprint for each in pki.trusted()] == [thumbprint(der)]


def test_a_server_that_shows_ever_new_certificates_does_not_fill_the_disk(tmp_path, monkeypatch):
    from drivers.opcua import pki as module

    monkeypatch.setattr(module, "_MOST_REJECTED", 3)
    pki = Pki(tmp_path)
    for number in range(6):
        pki.reject(b"certificate %d" % number)
    assert len(list((tmp_path / "rejected").iterdir())) == 3


def test_a_simulator_keeps_its_certificate(tmp_path):
    first = kept_certificate(tmp_path / "kept", URI)
    assert kept_certificate(tmp_path / "kept", URI) == first
    assert kept_certificate(None, URI) != first
