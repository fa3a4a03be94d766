#!/usr/bin/env python3
"""Frozen vectors of the wrapped account key, made by another implementation (Python's `cryptography`) from docs/envelope.md.

    python3 test/vectors/makeAccountKeyVectors.py > test/vectors/accountKey.json

Every byte is derived from a label, so that the file is the same each time. From version 1.0 on, vectors are only ever added: what
has been written must stay readable. Needs Debian's python3-cryptography.
"""
import json
import sys
import uuid
from base64 import b64encode, urlsafe_b64decode
from hashlib import sha256
from pathlib import Path
from struct import pack

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ACCOUNT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
OTHER_ACCOUNT = "3f2504e0-4f89-41d3-9a0c-0305e82c3302"
NAME, OTHER_NAME = "contoso", "fabrikam"
CMK = "https://contoso.vault.azure.net/keys/cmk/ee059b2bb5bc48398a53b168c6cdcb10"
OTHER_CMK = "https://contoso.vault.azure.net/keys/cmk/ee059b2bb5bc48398a53b168c6cdcb11"
AT_REST, SYSTEM = 3, 7  # generations of the two rings

FIXTURES = json.loads((Path(__file__).parent.parent / "fixtures" / "rsaKeys.json").read_text())["keys"]


def fixed(label, length=32):
    return b"".join(sha256(f"{label}/{i}".encode()).digest() for i in range(length // 32 + 1))[:length]


def prefixed(*parts):
    return b"".join(pack(">I", len(part)) + part for part in parts)


def subkey(kek, account, info):
    return HKDF(algorithm=SHA256(), length=32, salt=uuid.UUID(account).bytes, info=info).derive(kek)


def payload(account=ACCOUNT, generation=1, key=None, version=1):
    return bytes([version]) + uuid.UUID(account).bytes + pack(">I", generation) + (key or fixed("account key"))


def rsa_oaep_256(index, message, label):
    """RFC 8017, 7.1.1, with a seed that is derived from the label: the same bytes each time."""
    jwk = FIXTURES[index]["jwk"]
    n, e = (int.from_bytes(urlsafe_b64decode(jwk[name] + "=="), "big") for name in ("n", "e"))
    k = FIXTURES[index]["size"] // 8

    def masked(data, seed):
        mask = b"".join(sha256(seed + pack(">I", i)).digest() for i in range(len(data) // 32 + 1))
        return bytes(a ^ b for a, b in zip(data, mask))

    block = sha256(b"").digest() + bytes(k - len(message) - 66) + b"\x01" + message
    seed = fixed(f"seed {label}")
    block = masked(block, seed)
    encoded = b"\x00" + masked(seed, block) + block
    return pow(int.from_bytes(encoded, "big"), e, n).to_bytes(k, "big")


def by_customer_key(index=0, label="cmk", plain=None):
    return b"\x01" + rsa_oaep_256(index, plain or payload(), label)


def by_system_ring(account=ACCOUNT, generation=1, ring=SYSTEM, told=None, plain=None, cipher=AESGCM,
                   named=NAME):
    key = subkey(fixed(f"system kek {ring}"), account, b"keyward/system/account-key/1")
    aad = prefixed(b"keyward/system/2", uuid.UUID(account).bytes, named.encode(), pack(">I", generation), pack(">I", ring))
    nonce = fixed("system nonce", 12)
    sealed = cipher(key).encrypt(nonce, plain or payload(account, generation), aad)
    return b"\x02" + pack(">I", told or ring) + nonce + sealed


def at_rest(inner, account=ACCOUNT, generation=1, wrapped_by="SystemKey", ring=AT_REST, told=None, version=2, kind=1,
            info=b"keyward/at-rest/account-key/1", cipher=ChaCha20Poly1305, named=NAME):
    header = bytes([version, kind]) + pack(">I", told or ring)
    aad = prefixed(b"keyward/at-rest/2", header, uuid.UUID(account).bytes, named.encode(), pack(">I", generation),
                   wrapped_by.encode())
    nonce = fixed("at-rest nonce", 12)
    key = subkey(fixed(f"at-rest kek {ring}"), account, info)
    return header + nonce + cipher(key).encrypt(nonce, inner, aad)


def edited(blob, at):
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:] if at >= 0 else edited(blob, len(blob) + at)


def record(name, stored, generation=1, wrapped_by="SystemKey", rsa=None, fails=None):
    """What a record says beside the stored bytes. `fails` names the step that must throw KeyMaterialMismatch."""
    vector = {"name": name, "instanceId": ACCOUNT, "account": NAME, "generation": generation, "wrappedBy": wrapped_by}
    if rsa is not None:
        vector["rsaKey"] = rsa
    vector["stored"] = b64encode(stored).decode()
    vector.update({"fails": fails, "error": "KeyMaterialMismatch"} if fails else {"accountKey": fixed("account key").hex()})
    return vector


def good():
    yield record("system key", at_rest(by_system_ring()))
    top = 0xFFFFFFFF
    yield record("system key, highest generation", at_rest(by_system_ring(generation=top), generation=top), generation=top)
    for index, bits in ((0, 2048), (8, 3072), (11, 4096)):
        inner = by_customer_key(index, f"RSA {bits}")
        yield record(f"customer key, RSA {bits}", at_rest(inner, wrapped_by=CMK), wrapped_by=CMK, rsa=index)


def broken():
    system = at_rest(by_system_ring())
    customer = at_rest(by_customer_key(), wrapped_by=CMK)
    cmk = {"wrapped_by": CMK, "rsa": 0}
    outer, inner, wrapped = "atRestGeneration", "openBySystemRing", "openPayload"

    yield record("empty", b"", fails=outer)
    yield record("header alone", system[:6], fails=outer)
    yield record("one byte short of an empty body", system[:33], fails=outer)
    yield record("oversized", at_rest(by_customer_key(11) + b"\0", wrapped_by=CMK), **cmk, fails=outer)
    yield record("format version 0", at_rest(by_system_ring(), version=0), fails=outer)
    yield record("format version 1", at_rest(by_system_ring(), version=1), fails=outer)
    yield record("format version 3", at_rest(by_system_ring(), version=3), fails=outer)
    yield record("another kind of secret", at_rest(by_system_ring(), kind=2), fails=outer)

    yield record("last byte cut off", system[:-1], fails="openAtRest")
    yield record("one byte added", system + b"\0", fails="openAtRest")
    yield record("edited ring generation", edited(system, 5), fails="openAtRest")
    yield record("edited nonce", edited(system, 6), fails="openAtRest")
    yield record("edited ciphertext", edited(system, 18), fails="openAtRest")
    yield record("edited tag", edited(system, -1), fails="openAtRest")
    yield record("row of another account", at_rest(by_system_ring(OTHER_ACCOUNT), OTHER_ACCOUNT), fails="openAtRest")
    yield record("row under another account name", at_rest(by_system_ring(named=OTHER_NAME), named=OTHER_NAME),
                 fails="openAtRest")
    yield record("row of an older generation", system, generation=2, fails="openAtRest")
    yield record("record names another version", customer, wrapped_by=OTHER_CMK, rsa=0, fails="openAtRest")
    yield record("record says customer key, row is of the system key", system, **cmk, fails="openAtRest")
    yield record("record says system key, row is of a customer key", customer, fails="openAtRest")
    yield record("sealed under another ring generation than told", at_rest(by_system_ring(), ring=4, told=3), fails="openAtRest")
    yield record("sealed under the subkey of the other layer",
                 at_rest(by_system_ring(), info=b"keyward/system/account-key/1"), fails="openAtRest")
    yield record("sealed by the cipher of the other layer", at_rest(by_system_ring(), cipher=AESGCM), fails="openAtRest")
    yield record("empty inner layer", at_rest(b""), fails="openAtRest")
    yield record("inner layer of an unknown kind", at_rest(b"\x03" + by_system_ring()[1:]), fails="openAtRest")
    yield record("inner layer cut off", at_rest(by_system_ring()[:-1]), fails="openAtRest")
    yield record("RSA ciphertext of 255 bytes", at_rest(by_customer_key()[:-1], wrapped_by=CMK), **cmk, fails="openAtRest")

    yield record("system layer of another account", at_rest(by_system_ring(OTHER_ACCOUNT)), fails=inner)
    yield record("system layer under another account name", at_rest(by_system_ring(named=OTHER_NAME)), fails=inner)
    yield record("system layer of an older generation", at_rest(by_system_ring(), generation=2), generation=2, fails=inner)
    yield record("system layer tells another ring generation", at_rest(by_system_ring(told=8)), fails=inner)
    yield record("system layer edited", at_rest(edited(by_system_ring(), -1)), fails=inner)
    yield record("system layer by the cipher of the other layer",
                 at_rest(by_system_ring(cipher=ChaCha20Poly1305)), fails=inner)

    yield record("system ring holds the key of another account",
                 at_rest(by_system_ring(plain=payload(OTHER_ACCOUNT))), fails=wrapped)
    for name, plain in (
        ("the key of another account", payload(OTHER_ACCOUNT)),
        ("an older generation of the key", payload(generation=0)),
        ("a payload of another format version", payload(version=2)),
        ("a key of 31 bytes", payload(key=fixed("account key", 31))),
        ("a key of 33 bytes", payload(key=fixed("account key", 33))),
        ("the bare key", fixed("account key")),
    ):
        stored = at_rest(by_customer_key(plain=plain, label=name), wrapped_by=CMK)
        yield record(f"customer key wraps {name}", stored, **cmk, fails=wrapped)


json.dump(
    {
        "about": "Made by makeAccountKeyVectors.py. TEST KEYS: they protect nothing. rsaKey is an index into test/fixtures/rsaKeys.json.",
        "atRestRing": {str(n): fixed(f"at-rest kek {n}").hex() for n in (2, 3, 4)},
        "systemRing": {str(n): fixed(f"system kek {n}").hex() for n in (7, 8)},
        "good": list(good()),
        "broken": list(broken()),
    },
    sys.stdout,
    indent=2,
)
print()
