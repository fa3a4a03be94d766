"""Messages of Keyward's client (packages/client/FORMAT.md) in Python: the smallest implementation that another language needs.

Checked by packages/client/vectors/messages.json:

    python3 examples/python/keyward_message.py packages/client/vectors/messages.json

Needs the package `cryptography`. It has no cache and calls no service: `data_key` is the 32 bytes that Keyward's `unwrap` gives for
`wrapped_key_of(message)` with the encryption context MESSAGE_KEY_CONTEXT.
"""
import hmac
import json
import os
import sys
from base64 import b64decode
from hashlib import sha256
from struct import pack, unpack

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MESSAGE_KEY_CONTEXT = {"keyward:use": "message/1"}
TAG = 16


class MessageError(Exception):
    """`code` is MessageMalformed, MessageTruncated or MessageNotAuthentic."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def context_hash(context):
    """SHA-256 of the canonical form: the pairs in the order of their keys' UTF-8 bytes, each part behind its length."""
    pairs = sorted((key.encode(), value.encode()) for key, value in context.items())
    parts = [b"keyward/context/1", *(part for pair in pairs for part in pair)]
    return sha256(b"".join(pack(">I", len(part)) + part for part in parts)).digest()


def derive(data_key):
    keys = HKDF(algorithm=SHA256(), length=64, salt=b"", info=b"keyward/message/1").derive(data_key)
    return AESGCM(keys[:32]), keys[32:]


def commitment_of(commit_key, exponent, prefix, context):
    fields = b"keyward/message/1" + bytes([1, 1, exponent]) + prefix + context_hash(context)
    return hmac.new(commit_key, fields, sha256).digest()


def nonce(prefix, index, is_last):
    return prefix + pack(">I", index * 2 + is_last)


def seal(plaintext, data_key, wrapped, context, exponent=16, prefix=None):
    """`prefix`: eight random bytes that no other message under this data key has."""
    prefix = prefix or os.urandom(8)
    cipher, commit_key = derive(data_key)
    commitment = commitment_of(commit_key, exponent, prefix, context)
    header = bytes([1, 1, exponent]) + pack(">H", len(wrapped)) + wrapped + prefix + commitment
    size = 1 << exponent
    chunks = [plaintext[at:at + size] for at in range(0, len(plaintext), size)] or [b""]
    return header + b"".join(cipher.encrypt(nonce(prefix, n, n == len(chunks) - 1), chunk, commitment)
                             for n, chunk in enumerate(chunks))


def parse(message):
    """(exponent, wrapped key, prefix, commitment, where the chunks begin)"""
    for at, known in ((0, 1), (1, 1)):
        if len(message) > at and message[at] != known:
            raise MessageError("MessageMalformed")
    if len(message) < 5:
        raise MessageError("MessageTruncated")
    exponent, (length,) = message[2], unpack(">H", message[3:5])
    if not 12 <= exponent <= 24 or not 1 <= length <= 1024:
        raise MessageError("MessageMalformed")
    start = 5 + length + 8 + 32
    if len(message) < start + TAG:
        raise MessageError("MessageTruncated")
    return exponent, message[5:5 + length], message[start - 40:start - 32], message[start - 32:start], start


def wrapped_key_of(message):
    return parse(message)[1]


def open_message(message, data_key, context):
    exponent, _, prefix, commitment, start = parse(message)
    cipher, commit_key = derive(data_key)
    if not hmac.compare_digest(commitment_of(commit_key, exponent, prefix, context), commitment):
        raise MessageError("MessageNotAuthentic")
    stride = (1 << exponent) + TAG
    sealed = [message[at:at + stride] for at in range(start, len(message), stride)]
    plaintext = b""
    for n, chunk in enumerate(sealed):
        # An empty chunk stands alone or not at all.
        if len(chunk) < TAG or (len(chunk) == TAG and n > 0):
            raise MessageError("MessageTruncated")
        try:
            plaintext += cipher.decrypt(nonce(prefix, n, n == len(sealed) - 1), chunk, commitment)
        except InvalidTag:
            raise MessageError("MessageNotAuthentic") from None
    return plaintext


def check(path):
    with open(0 if path == "-" else path, encoding="utf-8") as file:
        vectors = json.load(file)
    data_key = b64decode(vectors["dataKey"])
    for one in vectors["contextHashes"]:
        assert context_hash(one["context"]).hex() == one["sha256"], one["name"]
    for one in vectors["good"]:
        assert open_message(b64decode(one["message"]), data_key, one["context"]) == b64decode(one["plaintext"]), one["name"]
    for one in vectors["broken"]:
        try:
            open_message(b64decode(one["message"]), data_key, one["context"])
        except MessageError as error:
            assert error.code == one["fails"], f"{one['name']}: {error.code}"
        else:
            raise AssertionError(f"{one['name']}: opened")
    print(f"{len(vectors['good'])} messages open, {len(vectors['broken'])} do not.")


if __name__ == "__main__":
    check(sys.argv[1])
