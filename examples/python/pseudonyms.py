#!/usr/bin/env python3
"""Pseudonyms of e-mail addresses under a customer's key, over plain HTTP with the standard library alone.

    python3 examples/python/pseudonyms.py contoso jane@example.com john@example.com

The same address has the same pseudonym as long as the customer permits it, and none of them can be computed without Keyward. It shows
what every caller must do: generate a data key once and store its wrapped form, unwrap it when it is needed, use it no longer than the
key status says, wait as Retry-After says, and stop at a refusal.

Settings: KEYWARD_ENDPOINT, and KEYWARD_FUNCTION_KEY or KEYWARD_TOKEN (a bearer token with the app role DataKeys.Use). WRAPPED_KEY_FILE:
where the wrapped data key is stored (wrapped-key.txt). The signature of the status is not verified here, because the standard library
has no Ed25519: the status is believed because it came over TLS, and the nonce shows that it is fresh.
"""
import hmac
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from base64 import b64decode, urlsafe_b64decode
from datetime import datetime
from hashlib import sha256

ENDPOINT = os.environ["KEYWARD_ENDPOINT"].rstrip("/")
FILE = os.environ.get("WRAPPED_KEY_FILE", "wrapped-key.txt")
API_VERSION = "2026-11-28"
CONTEXT = {"purpose": "pseudonyms"}
DEADLINE_SECONDS = 30


class Refused(Exception):
    """The same call fails again until `actor` has done what `remedy` says."""


def call(account, operation, body):
    """The answer, its key status, and the moment from which the status counts."""
    nonce = secrets.token_urlsafe(16)
    headers = {"Content-Type": "application/json", "x-keyward-nonce": nonce}
    if "KEYWARD_FUNCTION_KEY" in os.environ:
        headers["x-functions-key"] = os.environ["KEYWARD_FUNCTION_KEY"]
    else:
        headers["Authorization"] = "Bearer " + os.environ["KEYWARD_TOKEN"]
    url = f"{ENDPOINT}/api/accounts/{account}/dataKeys/{operation}?api-version={API_VERSION}"
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        sent = time.monotonic(), time.time()
        try:
            request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = json.load(response)
            return answer, claims_of(answer["keyStatus"], nonce), sent
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise refusal_in(error) from None
            wait = float(error.headers.get("Retry-After") or 1)
        except urllib.error.URLError:
            wait = 1
        if time.monotonic() + wait > end:
            raise TimeoutError("Keyward did not answer in time. Try again later.")
        time.sleep(wait)


def refusal_in(error):
    detail = json.load(error).get("error", {})
    facts = (detail.get("additionalInfo") or [{"info": {}}])[0]["info"]
    return Refused(f"{detail.get('code')} {facts.get('cause', '')}: {facts.get('remedy') or detail.get('message')}")


def claims_of(status, nonce):
    body = status.split(".")[1]
    claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if claims["nonce"] != nonce:
        raise Refused("The key status was not made for this call.")
    return claims


class DataKey:
    """A plain data key, and how long it may be used: by the monotonic clock and by the wall clock, whichever says more has passed."""

    def __init__(self, account, wrapped):
        answer, claims, self.sent = call(account, "unwrap", {"value": [{"wrapped": wrapped, "context": CONTEXT}]})
        (item,) = answer["value"]
        if "error" in item:
            raise Refused(f"{item['error']['code']}: {item['error']['message']}")
        self.key = b64decode(item["plaintext"])
        issued, end = (datetime.strptime(claims[name], "%Y-%m-%dT%H:%M:%S.%fZ") for name in ("issuedAt", "notAfter"))
        self.span = (end - issued).total_seconds()

    def is_usable(self):
        age = max(time.monotonic() - self.sent[0], abs(time.time() - self.sent[1]))
        return age < self.span


def wrapped_key(account):
    """Generated once, and stored: only the wrapped form."""
    try:
        with open(FILE, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        answer, _, _ = call(account, "generate", {"count": 1, "context": CONTEXT})
        wrapped = answer["value"][0]["wrapped"]
        with open(FILE, "w", encoding="ascii") as file:
            file.write(wrapped)
        return wrapped


def main(account, addresses):
    wrapped = wrapped_key(account)
    data_key = None
    for address in addresses:
        if data_key is None or not data_key.is_usable():
            data_key = DataKey(account, wrapped)
        pseudonym = hmac.new(data_key.key, address.lower().encode(), sha256).hexdigest()[:32]
        print(f"{address} {pseudonym}")


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except Refused as refused:
        sys.exit(f"Refused. {refused}")
