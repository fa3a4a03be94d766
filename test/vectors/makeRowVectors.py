#!/usr/bin/env python3
"""Frozen vectors of authentic rows, made by another implementation (Python's standard library) from docs/envelope.md.

    /usr/bin/python3 test/vectors/makeRowVectors.py > test/vectors/rows.json

Every byte is derived from a label, so that the file is the same each time.
"""
import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from struct import pack


def fixed(label, length=32):
    return b"".join(sha256(f"{label}/{i}".encode()).digest() for i in range(length // 32 + 1))[:length]


def prefixed(*parts):
    return b"".join(pack(">I", len(part)) + part for part in parts)


def hkdf(key, info):
    """RFC 5869 for one block: an empty salt is 32 zero bytes."""
    extracted = hmac.new(bytes(32), key, sha256).digest()
    return hmac.new(extracted, info + b"\x01", sha256).digest()


def kek(generation):
    return fixed(f"at-rest kek {generation}")


def canonical(value):
    """RFC 8785 for objects of text, whole numbers, booleans and ASCII names."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def row(table, partition, key, value, generation=3, columns=None):
    columns = columns or {}
    data = canonical(value)
    parts = [b"keyward/row/1"] + [text.encode() for text in (table, partition, key, data, canonical(columns))]
    mac = hmac.new(hkdf(kek(generation), b"keyward/row/1"), prefixed(*parts), sha256).digest()
    entity = {"partitionKey": partition, "rowKey": key, "v": 2, "data": data, **columns}
    return {**entity, "generation": generation, "mac": urlsafe_b64encode(mac).rstrip(b"=").decode()}


record = row("accounts", "acme", "record", {"name": "Acme", "owner": "contoso", "revision": 7, "tags": {"a": "é", "B": ""}})
bound = row("bindings", "b0b0", "bound:v1:acme:id", {"follows": True, "name": "acme"}, columns={"follows": True})
old = row("claims", "c1", "claim", {"owner": "contoso"}, generation=2)


def but(entity, **changes):
    return {key: value for key, value in {**entity, **changes}.items() if value is not None}


good = [
    {"name": "a record", "table": "accounts", "entity": record},
    {"name": "a row with a column", "table": "bindings", "entity": bound},
    {"name": "a row under an older KEK", "table": "claims", "entity": old},
]
broken = [
    ("data edited", "accounts", but(record, data=record["data"].replace("contoso", "fabrikam"))),
    ("data with the same meaning in another form", "accounts", but(record, data=record["data"].replace(":", ": ", 1))),
    ("copied to another partition", "accounts", but(record, partitionKey="fabrikam")),
    ("copied to another row key", "accounts", but(record, rowKey="tombstone:x")),
    ("copied to another table", "claims", record),
    ("a column edited", "bindings", but(bound, follows=False)),
    ("a column removed", "bindings", but(bound, follows=None)),
    ("a property added", "accounts", but(record, note="x")),
    ("another generation", "accounts", but(record, generation=2)),
    ("a generation that does not exist", "accounts", but(record, generation=9)),
    ("no generation", "accounts", but(record, generation=None)),
    ("MAC of another row", "accounts", but(record, mac=old["mac"])),
    ("MAC truncated", "accounts", but(record, mac=record["mac"][:-1])),
    ("MAC in another base64 text of the same bytes", "accounts", but(record, mac=record["mac"] + "=")),
    ("no MAC", "accounts", but(record, mac=None)),
    ("the plain form", "accounts", {"partitionKey": "acme", "rowKey": "record", "v": 1, "data": record["data"]}),
    ("a later version", "accounts", but(record, v=3)),
    ("data that is no text", "accounts", but(record, data=7)),
]
print(json.dumps({
    "atRestRing": {str(generation): kek(generation).hex() for generation in (2, 3)},
    "good": [{**one, "value": json.loads(one["entity"]["data"])} for one in good],
    "broken": [{"name": name, "table": table, "entity": entity} for name, table, entity in broken],
}, indent=2, ensure_ascii=False))
