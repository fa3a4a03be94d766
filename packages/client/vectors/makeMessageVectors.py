#!/usr/bin/env python3
"""Frozen vectors of messages, made by another implementation (Python's `cryptography`) from packages/client/FORMAT.md.

    /usr/bin/python3 packages/client/vectors/makeMessageVectors.py > packages/client/vectors/messages.json

Every byte is derived from a label, so that the file is the same each time. From version 1.0 on, vectors are only ever added: what
has been written must stay readable. Needs Debian's python3-cryptography. The implementation is examples/python/keyward_message.py.
"""
import json
import os
import sys
from base64 import b64encode
from hashlib import sha256

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "..", "examples", "python"))
import keyward_message as km  # noqa: E402


def fixed(label, length=32):
    return b"".join(sha256(f"{label}/{i}".encode()).digest() for i in range(length // 32 + 1))[:length]


KEY, PREFIX, WRAPPED = fixed("data key"), fixed("nonce prefix", 8), fixed("wrapped data key", 111)
TENANT = {"table": "patients", "tenant": "contoso"}


def sealed(plain, context, exponent=12, key=KEY, prefix=PREFIX, wrapped=WRAPPED, **how):
    return km.seal(plain, key, wrapped, context, exponent=exponent, prefix=prefix, **how)


def vector(name, message, context, plain=None, fails=None):
    about = {"name": name, "context": context, "message": b64encode(message).decode()}
    return {**about, "plaintext": b64encode(plain).decode()} if fails is None else {**about, "fails": fails}


def good():
    for length in (0, 1, 16, 4095, 4096, 4097, 8192, 8200):
        plain = fixed(f"plaintext {length}", length)
        yield vector(f"{length} bytes in chunks of 4,096", sealed(plain, TENANT), TENANT, plain)
    plain = fixed("one chunk", 5000)
    yield vector("5,000 bytes in one chunk of 65,536", sealed(plain, TENANT, 16), TENANT, plain)
    yield vector("chunks of 16 MiB", sealed(plain, TENANT, 24), TENANT, plain)
    yield vector("no context", sealed(plain[:9], {}), {}, plain[:9])
    for name, context in contexts():
        yield vector(f"context: {name}", sealed(b"x", context), context, b"x")
    yield vector("a wrapped key of one byte", sealed(b"x", {}, wrapped=b"\x07"), {}, b"x")


def contexts():
    yield "pairs in another order", {"tenant": "contoso", "table": "patients"}
    yield "an empty value", {"k": ""}
    yield "letters beyond ASCII, in the order of their bytes", {"\uff5e": "1", "\U0001f511": "2", "é": "3", "e\u0301": "4"}
    yield "16 pairs", {f"key-{n:02}": str(n) for n in range(16)}
    yield "the longest key and value", {"k" * 128: "v" * 512}
    yield "a key that holds another pair", {"a=b&c": "d"}


def edited(message, at):
    at %= len(message)
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]


def broken():
    plain = fixed("broken", 100)
    it = sealed(plain, TENANT)
    header, stride = 5 + 111 + 8 + 32, 4096 + 16
    bad, cut, odd = "MessageNotAuthentic", "MessageTruncated", "MessageMalformed"
    yield vector("empty", b"", TENANT, fails=cut)
    yield vector("version 2", b"\x02" + it[1:], TENANT, fails=odd)
    yield vector("suite 2", it[:1] + b"\x02" + it[2:], TENANT, fails=odd)
    yield vector("chunks of 2,048", it[:2] + b"\x0b" + it[3:], TENANT, fails=odd)
    yield vector("chunks of 32 MiB", it[:2] + b"\x19" + it[3:], TENANT, fails=odd)
    yield vector("no wrapped key", it[:3] + b"\0\0" + it[5:], TENANT, fails=odd)
    yield vector("a wrapped key of 1,025 bytes", it[:3] + b"\x04\x01" + it[5:], TENANT, fails=odd)
    yield vector("cut in the header", it[:header - 1], TENANT, fails=cut)
    yield vector("cut after the header", it[:header], TENANT, fails=cut)
    yield vector("cut in a tag", it[:header + 15], TENANT, fails=cut)
    yield vector("chunk size edited", it[:2] + b"\x0d" + it[3:], TENANT, fails=bad)
    yield vector("nonce prefix edited", edited(it, 5 + 111), TENANT, fails=bad)
    yield vector("commitment edited", edited(it, header - 1), TENANT, fails=bad)
    yield vector("chunk edited", edited(it, header), TENANT, fails=bad)
    yield vector("tag edited", edited(it, -1), TENANT, fails=bad)
    yield vector("last byte cut off", it[:-1], TENANT, fails=bad)
    yield vector("one byte added", it + b"\0", TENANT, fails=bad)
    yield vector("an empty chunk added", it + bytes(16), TENANT, fails=bad)
    yield vector("another context", it, {**TENANT, "tenant": "fabrikam"}, fails=bad)
    yield vector("one pair less", it, {"table": "patients"}, fails=bad)
    yield vector("one pair more", it, {**TENANT, "x": ""}, fails=bad)
    yield vector("keys and values exchanged", it, {v: k for k, v in TENANT.items()}, fails=bad)
    yield vector("composed and decomposed letters differ", sealed(b"x", {"k": "é"}), {"k": "e\u0301"}, fails=bad)
    yield vector("under another data key", sealed(plain, TENANT, key=fixed("other key")), TENANT, fails=bad)

    plain = fixed("three chunks", 8200)
    it, other = sealed(plain, TENANT), sealed(plain, TENANT, prefix=fixed("other", 8))
    one, two, three = (it[header + n * stride:header + (n + 1) * stride] for n in range(3))
    yield vector("cut between two chunks", it[:-len(three)], TENANT, fails=bad)
    yield vector("two chunks exchanged", it[:header] + two + one + three, TENANT, fails=bad)
    yield vector("a chunk doubled", it[:header] + one + one + two + three, TENANT, fails=bad)
    yield vector("a chunk left out", it[:header] + one + three, TENANT, fails=bad)
    yield vector("a chunk of another message under the same key",
                 it[:header] + other[header:header + stride] + two + three, TENANT, fails=bad)
    full = sealed(fixed("full", 4096), TENANT)
    yield vector("an empty chunk after a full one", full + bytes(16), TENANT, fails=bad)


about = "Made by makeMessageVectors.py. A TEST KEY: it protects nothing. Every message is under dataKey."
json.dump({"about": about, "dataKey": b64encode(KEY).decode(), "wrapped": b64encode(WRAPPED).decode(),
           "contextHashes": [{"name": name, "context": context, "sha256": km.context_hash(context).hex()}
                             for name, context in [("none", {}), ("two pairs", TENANT), *contexts()]],
           "good": list(good()), "broken": list(broken())}, sys.stdout, indent=2)
print()
