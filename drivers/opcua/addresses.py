"""Addresses of OPC UA nodes: the grammar of the ``address`` column, read without a server.

::

    address = [ space ";" ] ( "i=" integer | "s=" text | "g=" guid | "b=" base64 )  |  path
    space   = alias | "nsu=" uri | "ns=" index
    path    = { "/" [ alias ":" ] browse-name }

``s=`` takes everything to the end of the cell. A namespace index is a property of one server
process and may move with the next download to the PLC, so an address always ends in a URI: an
alias and an ``ns=index`` stand for the URI that they are pinned to. Without a space, and with
``ns=0``, a node is in the namespace of OPC UA itself, whose index is fixed (OPC 10000-3, 8.2.2).

A path begins below the folder Objects; ``&`` stands before a ``/``, ``:`` or ``&`` that belongs to
a name. An index before the colon (``/4:Chiller``, as many clients show it) is read like ``ns=4``.
"""

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from mappings.errors import Fault, nearest

UA_NAMESPACE = "http://opcfoundation.org/UA/"

_IDENTIFIER = re.compile(r"([isgb])=(.*)", re.DOTALL)
_QUALIFIED = re.compile(r"(nsu=.*?|[^;]*);([isgb]=.*)", re.DOTALL)
_INDEX = re.compile(r"ns=([0-9]+)")
_STEP = re.compile(r"/((?:[^&/]|&[&/:])*)")
_PREFIX = re.compile(r"((?:[^&:]|&.)*?):(.*)", re.DOTALL)
_ESCAPED = re.compile(r"&(.)", re.DOTALL)
_GRAMMAR = (
    "write ALIAS;i=85, ALIAS;s=Name, nsu=URI;s=Name or ns=4;i=85, "
    "with the alias or index under namespaces:, or a path from Objects: /ALIAS:Line/ALIAS:Speed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """A node, independent of any session.

    ``kind`` is ``i``, ``s``, ``g`` or ``b``; ``identifier`` an int, text, UUID or bytes to match.
    """

    namespace: str
    kind: str
    identifier: int | str | uuid.UUID | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PathAddress:
    """A node by the way to it from Objects: (namespace URI, browse name) of each step."""

    steps: tuple[tuple[str, str], ...]


def parse(text: str, namespaces: Mapping[str, str]) -> NodeAddress | PathAddress | Fault:
    """The node that an address names, or what is wrong with it.

    ``namespaces`` maps aliases and ``ns=INDEX`` to URIs, as in the device's block.
    """
    if text.startswith("/"):
        return _path(text, namespaces)
    bare = _IDENTIFIER.fullmatch(text)
    if bare:
        return _node(UA_NAMESPACE, bare[1], bare[2], text)
    qualified = _QUALIFIED.fullmatch(text)
    if qualified is None:
        return _fault("E420", f"{text!r} is no OPC UA node id", _GRAMMAR)
    namespace = _namespace(qualified[1], namespaces)
    if isinstance(namespace, Fault):
        return namespace
    kind, _, identifier = qualified[2].partition("=")
    return _node(namespace, kind, identifier, text)


def _namespace(space: str, namespaces: Mapping[str, str]) -> str | Fault:
    if space.startswith("nsu="):
        # OPC 10000-6, 5.1.12: ";" and "%" inside the URI are percent-escaped
        uri = space[4:].replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
        return uri or _fault("E420", "'nsu=' without a namespace URI", _GRAMMAR)
    if space in namespaces:
        return namespaces[space]
    index = _INDEX.fullmatch(space)
    if index:
        if int(index[1]) == 0:
            return UA_NAMESPACE
        return _fault(
            "E421",
            f"{space!r} may mean another namespace after the next download to the PLC",
            f'pin it once under namespaces: {{"{space}": URI}}; '
            "pasted node ids may then stay as they are",
            next="tagbridge browse {plant} {device} --namespaces",
        )
    known = [alias for alias in namespaces if not alias.startswith("ns=")]
    meant = nearest(space, known)
    there = f"known here: {', '.join(known)}" if known else "namespaces: names none yet"
    hint = f"did you mean {meant!r}? " if meant else ""
    return _fault(
        "E422",
        f"{space!r} is no namespace of this device",
        f"{hint}{there}; write it under namespaces: as {{ALIAS: URI}}",
    )


def _node(namespace: str, kind: str, written: str, text: str) -> NodeAddress | Fault:
    identifier: int | str | uuid.UUID | bytes | None
    if kind == "i":
        identifier = int(written) if re.fullmatch(r"[0-9]{1,10}", written) else None
        if identifier is not None and identifier > 0xFFFF_FFFF:
            identifier = None
        expected = "i= takes a whole number up to 4294967295"
    elif kind == "s":
        identifier = written or None
        expected = "s= takes the text of the identifier"
    elif kind == "g":
        try:
            identifier = uuid.UUID(written)
        except ValueError:
            identifier = None
        expected = "g= takes a GUID such as 09087e75-8e5e-499b-954f-f2a9603db28a"
    else:
        try:
            identifier = base64.b64decode(written, validate=True) or None
        except (binascii.Error, ValueError):
            identifier = None
        expected = "b= takes base64, such as M/RbKBsRVkePCePcx24oRA=="
    if identifier is None:
        return _fault("E424", f"{text!r}: {kind}={written!r} is no identifier", expected)
    return NodeAddress(namespace=namespace, kind=kind, identifier=identifier)


def _path(text: str, namespaces: Mapping[str, str]) -> PathAddress | Fault:
    steps = []
    end = 0
    while end < len(text):
        step = _STEP.match(text, end)
        if step is None or not step[1]:
            what = "an empty name" if step is not None else "'&' before none of / : &"
            return _fault(
                "E429",
                f"{text!r}: {what} in a browse path",
                "write /ALIAS:Line/ALIAS:Speed; put & before a /, : or & that belongs to a name",
            )
        end = step.end()
        prefixed = _PREFIX.fullmatch(step[1])
        name = prefixed[2] if prefixed else step[1]
        namespace: str | Fault = UA_NAMESPACE
        if prefixed:
            space = _ESCAPED.sub(r"\1", prefixed[1])
            space = f"ns={space}" if re.fullmatch("[0-9]{1,5}", space) else space
            namespace = _namespace(space, namespaces)
        if isinstance(namespace, Fault):
            return namespace
        if not name:
            return _fault("E429", f"{text!r}: a step without a name", "write /ALIAS:Line")
        steps.append((namespace, _ESCAPED.sub(r"\1", name)))
    return PathAddress(steps=tuple(steps))


def _fault(code: str, seen: str, remedy: str, next: str = "") -> Fault:  # noqa: A002
    return Fault(code=code, field="address", seen=seen, remedy=remedy, next=next)
