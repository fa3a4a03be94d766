#!/usr/bin/env python3
"""Frozen vectors of wrapped data keys, made by another implementation (Python's `cryptography`) from docs/envelope.md.

    /usr/bin/python3 test/vectors/makeDataKeyVectors.py > test/vectors/dataKeys.json
    /usr/bin/python3 test/vectors/makeDataKeyVectors.py --open < wrapped.json    opens what Keyward has wrapped, and prints it

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
TOP = 0xFFFFFFFF


def fixed(label, length=32):
    return b"".join(sha256(f"{label}/{i}".encode()).digest() for i in range(length // 32 + 1))[:length]


def prefixed(*parts):
    return b"".join(pack(">I", len(part)) + part for part in parts)


def context_hash(context):
    pairs = sorted((key.encode(), value.encode()) for key, value in context.items())
    return sha256(prefixed(b"keyward/context/1", *(part for pair in pairs for part in pair))).digest()


def account_key(generation):
    return fixed(f"account key {generation}")


def inner_key(account, generation):
    info = b"keyward/data-key/1"
    return HKDF(algorithm=SHA256(), length=32, salt=uuid.UUID(account).bytes, info=info).derive(account_key(generation))


def outer_key(generation):
    return fixed(f"outer key {generation}")


def bound(account, generation, context):
    return prefixed(b"keyward/data-key/1", uuid.UUID(account).bytes, pack(">I", generation), context_hash(context))


def inner(plain, account=ACCOUNT, generation=1, context=None, layer=4, key=None):
    nonce = fixed("inner nonce", 12)
    under = key or inner_key(account, generation)
    return bytes([layer]) + nonce + AESGCM(under).encrypt(nonce, plain, bound(account, generation, context or {}))


def outer(box, account=ACCOUNT, generation=1, context=None, version=1, holds=3, key=None):
    header = bytes([version, holds]) + uuid.UUID(account).bytes + pack(">I", generation)
    nonce = fixed("outer nonce", 12)
    aad = header + bound(account, generation, context or {})
    return header + nonce + ChaCha20Poly1305(key or outer_key(generation)).encrypt(nonce, box, aad)


def wrapped(plain, **where):
    return outer(inner(plain, **where), **where)


def opened(stored, context):
    assert stored[:2] == b"\x01\x03"
    account, (generation,) = str(uuid.UUID(bytes=stored[2:18])), unpack(">I", stored[18:22])
    facts = bound(account, generation, context)
    box = ChaCha20Poly1305(outer_key(generation)).decrypt(stored[22:34], stored[34:], stored[:22] + facts)
    assert box[0] == 4
    return AESGCM(inner_key(account, generation)).decrypt(box[1:13], box[13:], facts)


def edited(blob, at):
    at %= len(blob)
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]


def vector(name, stored, plain=None, fails=None, account=ACCOUNT, generation=1, context=None):
    """Read as of this account, generation and context. `fails`: the step that must throw KeyMaterialMismatch."""
    about = {"name": name, "instanceId": account, "generation": generation, "context": context or {}}
    about["wrapped"] = b64encode(stored).decode()
    return {**about, "fails": fails} if fails else {**about, "plain": plain.hex()}


KEY16, KEY32 = fixed("data key 16", 16), fixed("data key 32", 32)
CONTEXT = {"table": "patients", "tenant": "contoso"}


def good():
    yield vector("16 bytes, no context", wrapped(KEY16), KEY16)
    yield vector("32 bytes, no context", wrapped(KEY32), KEY32)
    yield vector("under a context", wrapped(KEY32, context=CONTEXT), KEY32, context=CONTEXT)
    yield vector("the pairs in another order", wrapped(KEY32, context=CONTEXT), KEY32,
                 context=dict(reversed(CONTEXT.items())))
    yield vector("letters beyond ASCII", wrapped(KEY32, context={"\uff5e": "1", "\U0001f511": "2"}), KEY32,
                 context={"\U0001f511": "2", "\uff5e": "1"})
    yield vector("highest generation", wrapped(KEY32, generation=TOP), KEY32, generation=TOP)


def broken():
    it = wrapped(KEY32, context=CONTEXT)

    def bad(name, stored, fails, context=CONTEXT, **where):
        return vector(name, stored, fails=fails, context=context, **where)

    yield bad("empty", b"", "parse")
    yield bad("truncated: last byte cut off", it[:-1], "parse")
    yield bad("one byte added", it + b"\0", "parse")
    yield bad("a key of 24 bytes", wrapped(fixed("x", 24), context=CONTEXT), "parse")
    yield bad("unknown version", outer(inner(KEY32, context=CONTEXT), context=CONTEXT, version=2), "parse")
    yield bad("a protected secret's content byte", outer(inner(KEY32, context=CONTEXT), context=CONTEXT, holds=2), "parse")
    yield bad("account edited", edited(it, 2), "account")
    yield bad("of another account", wrapped(KEY32, account=OTHER_ACCOUNT, context=CONTEXT), "account")
    yield bad("generation edited", edited(it, 21), "account")
    yield bad("of another generation", wrapped(KEY32, generation=2, context=CONTEXT), "account")
    yield bad("nonce edited", edited(it, 22), "outer")
    yield bad("ciphertext edited", edited(it, 34), "outer")
    yield bad("tag edited", edited(it, -1), "outer")
    yield bad("under another outer key", outer(inner(KEY32, context=CONTEXT), context=CONTEXT, key=fixed("x")), "outer")
    yield bad("another context", it, "outer", context={**CONTEXT, "tenant": "fabrikam"})
    yield bad("no context", it, "outer", context={})
    yield bad("one pair more", it, "outer", context={**CONTEXT, "x": ""})
    yield bad("keys and values exchanged", it, "outer", context={v: k for k, v in CONTEXT.items()})
    yield bad("inner layer of an unknown kind", outer(inner(KEY32, context=CONTEXT, layer=3), context=CONTEXT), "inner")
    yield bad("inner tag edited", outer(edited(inner(KEY32, context=CONTEXT), -1), context=CONTEXT), "inner")
    yield bad("inner layer of another context", outer(inner(KEY32), context=CONTEXT), "inner")
    yield bad("inner layer of another account",
              outer(inner(KEY32, account=OTHER_ACCOUNT, context=CONTEXT), context=CONTEXT), "inner")
    yield bad("inner layer under another account key",
              outer(inner(KEY32, context=CONTEXT, key=fixed("x")), context=CONTEXT), "inner")


if "--open" in sys.argv:
    for one in json.load(sys.stdin):
        print(opened(b64decode(one["wrapped"]), one["context"]).hex())
else:
    generations = {str(n): {"accountKey": account_key(n).hex(), "outerKey": outer_key(n).hex()} for n in (1, 2, TOP)}
    about = "Made by makeDataKeyVectors.py. TEST KEYS: they protect nothing."
    json.dump({"about": about, "generations": generations, "good": list(good()), "broken": list(broken())},
              sys.stdout, indent=2)
    print()
