"""Protected sessions: no value and no password for a server that nobody trusts."""

import re
from dataclasses import replace

import pytest
from asyncua import Client

from drivers.driver import Identity, LinkError
from drivers.opcua.driver import OPCUA
from drivers.opcua.pki import Pki, thumbprint
from simulators.opcua import OpcUaSimulator
from simulators.opcua_certificate import new_certificate
from simulators.opcua_server import ALL_POLICIES, OWN_URI
from tests.support.forwarder import Forwarder
from tests.support.opcua import Log, definition, endpoint, following, now_ms, row
from tests.support.wait import until

DEVICE = definition("Press", [row("Count", "int32")])
LOGIN = ("gateway", "geheim")


async def up(log: Log) -> None:
    await until(lambda: log.end or log.up, what="up", timeout_s=10)
    assert log.end is None, repr(log.end)


async def cannot_open(target) -> LinkError:
    with pytest.raises(LinkError) as caught:
        async with OPCUA.open(target, now_ms):
            pytest.fail("opened")
    assert caught.value.remedy
    return caught.value


def target(simulator, pki, **keys):
    keys = {"security": "best", "login": LOGIN, "timeout_ms": 2_000, **keys}
    return endpoint(simulator.endpoint, [DEVICE], pki_folder=pki, **keys)


@pytest.fixture
async def simulator():
    async with OpcUaSimulator([DEVICE], users=dict([LOGIN]), policies=ALL_POLICIES) as simulator:
        yield simulator


def trust(folder, simulator) -> None:
    Pki(folder).reject(simulator.certificate)
    Pki(folder).accept(thumbprint(simulator.certificate))


class Seen:
    """What crosses the wire, both ways."""

    def __init__(self) -> None:
        self.bytes = bytearray()


async def test_an_unknown_server_gives_no_value_and_gets_no_password(
    simulator, tmp_path, monkeypatch
):
    sessions = []
    original = Client.create_session

    async def counted(self):
        sessions.append(self)
        return await original(self)

    monkeypatch.setattr(Client, "create_session", counted)
    error = await cannot_open(target(simulator, tmp_path))
    name = thumbprint(simulator.certificate)
    assert f"thumbprint {name}" in error.seen
    assert error.remedy.endswith(f"tagbridge trust accept PLANT {name}")
    assert [each.thumbprint for each in Pki(tmp_path).rejected()] == [name]
    assert sessions == []
    Pki(tmp_path).accept(name)
    async with following(target(simulator, tmp_path)) as (log, _):
        await up(log)
    assert len(sessions) == 1


@pytest.mark.parametrize(
    ("security", "mode"),
    [(policy, "sign_and_encrypt") for policy in ("best", *ALL_POLICIES) if " " not in policy]
    + [("Basic256Sha256", "sign")],
)
async def test_every_policy(simulator, tmp_path, security, mode):
    trust(tmp_path, simulator)
    keys = {"mode": mode}
    async with following(target(simulator, tmp_path, security=security, **keys)) as (log, link):
        await up(log)
        policy = type(link._client.security_policy).__name__
        wanted = "Aes256_Sha256_RsaPss" if security == "best" else security
        assert policy == f"SecurityPolicy{wanted.replace('_', '')}"
        assert link._client.security_policy.Mode.name.casefold() == mode.replace("_and_", "and")


async def test_left_out_takes_the_best_that_is_there(tmp_path):
    async with OpcUaSimulator([DEVICE], policies=["insecure", "Basic256Sha256"]) as simulator:
        trust(tmp_path, simulator)
        async with following(target(simulator, tmp_path, login=None)) as (log, link):
            await up(log)
            assert "Basic256Sha256" in type(link._client.security_policy).__name__


async def test_a_server_without_protection_is_refused_unless_it_is_said(tmp_path):
    async with OpcUaSimulator([DEVICE]) as simulator:
        for security in ("best", "Basic256Sha256"):
            error = await cannot_open(target(simulator, tmp_path, login=None, security=security))
            assert "no protected endpoint" in error.seen
            assert "security: insecure" in error.remedy
        assert Pki(tmp_path).rejected() == []


async def test_a_policy_or_mode_that_is_not_offered_lists_what_is(tmp_path):
    async with OpcUaSimulator([DEVICE], policies=["Basic256Sha256"]) as simulator:
        trust(tmp_path, simulator)
        other = target(simulator, tmp_path, login=None, security="Aes256_Sha256_RsaPss")
        error = await cannot_open(other)
        assert "Basic256Sha256 (SignAndEncrypt)" in error.seen
        signed = target(simulator, tmp_path, login=None, security="Basic256Sha256", mode="sign")
        assert "with mode sign" in (await cannot_open(signed)).seen


async def test_insecure_where_there_is_none_says_what_to_do(simulator, tmp_path):
    error = await cannot_open(target(simulator, tmp_path, security="insecure"))
    assert "no endpoint without security" in error.seen
    assert "Basic256Sha256" in error.seen


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: new_certificate(OWN_URI, days=-1), "it is valid from"),
        (lambda: new_certificate("urn:somebody:else"), "it was made for urn:somebody:else"),
    ],
)
async def test_a_wrong_certificate_is_refused_trusted_or_not(tmp_path, made, words):
    async with OpcUaSimulator([DEVICE], policies=ALL_POLICIES, certificate=made()) as simulator:
        untrusted = await cannot_open(target(simulator, tmp_path, login=None))
        assert words in untrusted.remedy
        assert "trust accept" not in untrusted.remedy
        trust(tmp_path, simulator)
        trusted = await cannot_open(target(simulator, tmp_path, login=None))
        assert "is refused" in trusted.seen
        assert words in trusted.seen


async def test_a_stolen_certificate_without_its_key_is_no_use(tmp_path):
    """A server that shows the trusted certificate but has another key cannot answer."""
    genuine, _ = new_certificate(OWN_URI)
    _, other_key = new_certificate(OWN_URI)
    impostor = OpcUaSimulator([DEVICE], policies=ALL_POLICIES, certificate=(genuine, other_key))
    async with impostor as simulator:
        trust(tmp_path, simulator)
        await cannot_open(target(simulator, tmp_path, login=None, timeout_ms=1_000))


async def test_login_over_a_protected_session(simulator, tmp_path):
    trust(tmp_path, simulator)
    wrong = await cannot_open(target(simulator, tmp_path, login=("gateway", "falsch")))
    assert "refused user 'gateway'" in wrong.seen
    assert "falsch" not in wrong.seen + wrong.remedy
    anonymous = await cannot_open(target(simulator, tmp_path, login=None))
    assert "login" in anonymous.remedy


async def test_neither_password_nor_values_cross_the_wire_readably(simulator, tmp_path):
    trust(tmp_path, simulator)
    async with Forwarder(simulator.port) as wire:
        seen = bytearray()
        wire.on_bytes = seen.extend
        keys = {"login": LOGIN, "security": "best", "pki_folder": tmp_path, "timeout_ms": 2_000}
        moved = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [DEVICE], **keys)
        async with following(moved) as (log, _):
            await up(log)
    assert len(seen) > 5_000
    assert b"geheim" not in seen
    assert b"Count" not in seen


async def test_a_certificate_logs_in(tmp_path):
    certificate, key = new_certificate("urn:tests:user")
    other, other_key = new_certificate("urn:tests:other")
    server = OpcUaSimulator([DEVICE], user_certificates=[certificate], policies=ALL_POLICIES)
    async with server as simulator:
        trust(tmp_path, simulator)
        for who, its_key, passes in ((certificate, key, True), (other, other_key, False)):
            plain = target(simulator, tmp_path, login=None)
            wanted = replace(plain, identity=Identity(certificate=who, key=its_key))
            if passes:
                async with following(wanted) as (log, _):
                    await up(log)
            else:
                assert "certificate that logs in" in (await cannot_open(wanted)).seen


async def test_a_session_comes_back_protected_after_a_drop(simulator, tmp_path):
    trust(tmp_path, simulator)
    async with Forwarder(simulator.port) as wire:
        keys = {"login": LOGIN, "security": "best", "pki_folder": tmp_path, "timeout_ms": 4_000}
        moved = endpoint(f"opc.tcp://127.0.0.1:{wire.port}", [DEVICE], **keys)
        async with following(moved) as (log, _):
            await up(log)
            wire.cut()
            await simulator.hold("Press", {"Count": 4711})
            await until(
                lambda: log.end or log.last("Press", 0)[0] == 4711, what="back", timeout_s=10
            )
            assert log.end is None, repr(log.end)


async def test_an_unwritable_folder_says_so(simulator, tmp_path):
    (tmp_path / "file").write_text("")
    error = await cannot_open(target(simulator, tmp_path / "file" / "pki"))
    assert "pki: {folder: …}" in error.remedy


async def test_a_message_names_the_plant_as_the_shell_needs_it(simulator, tmp_path):
    odd = replace(target(simulator, tmp_path), plant="my plant/cellar.yaml")
    error = await cannot_open(odd)
    assert re.search(r"tagbridge trust accept 'my plant/cellar.yaml' [0-9A-F]{40}$", error.remedy)
