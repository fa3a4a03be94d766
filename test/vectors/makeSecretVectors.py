#!/usr/bin/env python3
"""Frozen vectors of protected secrets, made by another implementation (Python's `cryptography`) from docs/envelope.md.

    /usr/bin/python3 test/vectors/makeSecretVectors.py > test/vectors/secrets.json
    /usr/bin/python3 test/vectors/makeSecretVectors.py --open < sealed.json     opens what Keyward has sealed, and prints it

Every byte is derived from a label, so that the file is the same each time. From version 1.0 on, vectors are only ever added: what
has been written must stay readable. Needs Debian's python3-cryptography.
"""
import json
import sys
import uuid
from base64 import b64decode, b64encode
from hashlib import sha256
from struct import pack, unpack

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ACCOUNT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
OTHER_ACCOUNT = "3f2504e0-4f89-41d3-9a0c-0305e82c3302"
NAME, OTHER_NAME = "contoso", "fabrikam"
KEY_ID = "9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001"
AT_REST = 3
LIMIT = 20480


def fixed(label, length=32):
    return b"".join(sha256(f"{label}/{i}".encode()).digest() for i in range(length // 32 + 1))[:length]


def prefixed(*parts):
    return b"".join(pack(">I", len(part)) + part for part in parts)


def subkey(key, account, info):
    return HKDF(algorithm=SHA256(), length=32, salt=uuid.UUID(account).bytes, info=info.encode()).derive(key)


def place(account, kind, name, generation, named=NAME):
    return prefixed(b"keyward/secret/2", uuid.UUID(account).bytes, named.encode(), kind.encode(), name.encode(),
                    pack(">I", generation))


def account_key(generation):
    return fixed(f"account key {generation}")


def inner(plain, account=ACCOUNT, kind="contentKeys", name=KEY_ID, generation=1, layer=3, key=None, cipher=AESGCM,
          named=NAME):
    under = subkey(key or account_key(generation), account, f"keyward/secret/{kind}/1")
    nonce = fixed("inner nonce", 12)
    return bytes([layer]) + nonce + cipher(under).encrypt(nonce, plain, place(account, kind, name, generation, named))


def outer(box, account=ACCOUNT, kind="contentKeys", name=KEY_ID, generation=1, version=2, holds=2, ring=AT_REST, told=None,
          info="keyward/at-rest/secret/1", named=NAME):
    header = bytes([version, holds]) + pack(">I", told or ring) + pack(">I", generation)
    under = subkey(fixed(f"at-rest kek {ring}"), account, info)
    nonce = fixed("outer nonce", 12)
    return header + nonce + ChaCha20Poly1305(under).encrypt(nonce, box, header + place(account, kind, name, generation, named))


def sealed(plain, **where):
    return outer(inner(plain, **where), **where)


def opened(stored, account, named, kind, name):
    header, (ring, generation) = stored[:10], unpack(">II", stored[2:10])
    assert header[:2] == b"\x02\x02"
    bound = place(account, kind, name, generation, named)
    box = ChaCha20Poly1305(subkey(fixed(f"at-rest kek {ring}"), account, "keyward/at-rest/secret/1")).decrypt(
        stored[10:22], stored[22:], header + bound)
    assert box[0] == 3
    return AESGCM(subkey(account_key(generation), account, f"keyward/secret/{kind}/1")).decrypt(box[1:13], box[13:], bound)


def edited(blob, at):
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:] if at >= 0 else edited(blob, len(blob) + at)


def vector(label, stored, fails=None, plain=None, account=ACCOUNT, kind="contentKeys", name=KEY_ID, generation=1):
    """Read in this place. `fails` names the step that must throw KeyMaterialMismatch."""
    about = {"name": label, "instanceId": account, "account": NAME, "kind": kind, "secret": name, "generation": generation}
    about["stored"] = b64encode(stored).decode()
    return {**about, "fails": fails, "error": "KeyMaterialMismatch"} if fails else {**about, "plain": plain.hex()}


def good():
    key16, key32 = fixed("content key", 16), fixed("content key", 32)
    yield vector("content key of 16 bytes", sealed(key16), plain=key16)
    yield vector("content key of 32 bytes", sealed(key32), plain=key32)
    job = b'{"baseUri":"https://example.com/in/","files":["a.mp4?sig=s3cret"]}'
    where = {"kind": "jobInputs", "name": "job-1"}
    yield vector("job input", sealed(job, **where), plain=job, **where)
    where = {"kind": "tokenKeys", "name": "policy.one"}
    yield vector("token key of 1 byte", sealed(b"\0", **where), plain=b"\0", **where)
    yield vector("token key of 64 bytes", sealed(fixed("token", 64), **where), plain=fixed("token", 64), **where)
    where = {"kind": "accountKeys", "name": "1", "generation": 2}
    yield vector("older account key under the newer", sealed(account_key(1), **where), plain=account_key(1), **where)
    top = {"generation": 0xFFFFFFFF}
    yield vector("highest generation", sealed(key16, **top), plain=key16, **top)
    yield vector("nothing", sealed(b""), plain=b"")
    yield vector("as long as can be", sealed(fixed("long", LIMIT)), plain=fixed("long", LIMIT))


def broken():
    plain = fixed("content key", 16)
    it = sealed(plain)
    parse, outside, inside = "parseSecret", "outer", "inner"
    yield vector("empty", b"", parse)
    yield vector("truncated: header alone", it[:10], parse)
    yield vector("truncated: one byte short of an empty secret", sealed(b"")[:-1], parse)
    yield vector("oversized by one byte", sealed(fixed("long", LIMIT + 1)), parse)
    yield vector("unknown version 0", sealed_as(plain, version=0), parse)
    yield vector("unknown version 1", sealed_as(plain, version=1), parse)
    yield vector("unknown version 3", sealed_as(plain, version=3), parse)
    yield vector("a wrapped account key's kind", sealed_as(plain, holds=1), parse)

    yield vector("truncated: last byte cut off", it[:-1], outside)
    yield vector("one byte added", it + b"\0", outside)
    yield vector("tag flipped", edited(it, -1), outside)
    yield vector("ciphertext edited", edited(it, 22), outside)
    yield vector("nonce edited", edited(it, 10), outside)
    yield vector("told ring generation edited", edited(it, 5), outside)
    yield vector("wrong generation: edited in the header", edited(it, 9), outside, generation=0)
    yield vector("wrong generation: older row", it, outside, generation=2)
    yield vector("wrong account", sealed(plain, account=OTHER_ACCOUNT), outside)
    yield vector("wrong account name", sealed(plain, named=OTHER_NAME), outside)
    yield vector("wrong kind", sealed(plain, kind="tokenKeys"), outside)
    yield vector("wrong name", sealed(plain, name=KEY_ID[:-1] + "2"), outside)
    yield vector("name not folded", sealed(plain, name=KEY_ID.upper()), outside)
    yield vector("sealed under another ring generation than told", outer(inner(plain), ring=4, told=3), outside)
    yield vector("sealed under the subkey for account keys",
                 outer(inner(plain), info="keyward/at-rest/account-key/1"), outside)

    yield vector("inner layer of an unknown kind", outer(inner(plain, layer=1)), inside)
    yield vector("outer only: inner tag flipped", outer(edited(inner(plain), -1)), inside)
    yield vector("outer only: inner layer of another account", outer(inner(plain, account=OTHER_ACCOUNT)), inside)
    yield vector("outer only: inner layer of another account name", outer(inner(plain, named=OTHER_NAME)), inside)
    yield vector("outer only: inner layer of another kind", outer(inner(plain, kind="tokenKeys")), inside)
    yield vector("outer only: inner layer of another name", outer(inner(plain, name="x")), inside)
    yield vector("outer only: inner layer of another generation", outer(inner(plain, generation=2)), inside)
    yield vector("outer only: inner layer under another account key", outer(inner(plain, key=fixed("other"))), inside)
    yield vector("outer only: inner layer by the cipher of the outer", outer(inner(plain, cipher=ChaCha20Poly1305)), inside)


def sealed_as(plain, **how):
    return outer(inner(plain), **how)


if "--open" in sys.argv:
    for one in json.load(sys.stdin):
        print(opened(b64decode(one["stored"]), one["instanceId"], one["account"], one["kind"], one["secret"]).hex())
else:
    rings = {str(n): fixed(f"at-rest kek {n}").hex() for n in (2, 3, 4)}
    keys = {str(n): account_key(n).hex() for n in (0, 1, 2, 0xFFFFFFFF)}
    about = "Made by makeSecretVectors.py. TEST KEYS: they protect nothing."
    json.dump({"about": about, "atRestRing": rings, "accountKeys": keys, "good": list(good()), "broken": list(broken())},
              sys.stdout, indent=2)
    print()
