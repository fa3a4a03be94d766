"""What an application does, with Debian's python3-azure (azure-mgmt-media). Prints one JSON object: call and result."""

import json
import os

from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.mgmt.media import AzureMediaServices, _version
from azure.mgmt.media import models

GROUP, ACCOUNT = "media", "pythonfilms"
KEY = "https://contoso-keys.vault.azure.net/keys/media"
client = AzureMediaServices(EnvironmentCredential(), os.environ["AZURE_SUBSCRIPTION_ID"])
secret = b"a token validation key"


def encryption(key):
    properties = models.KeyVaultProperties(key_identifier=key)
    identity = models.ResourceIdentity(use_system_assigned_identity=True)
    return models.AccountEncryption(type="CustomerKey", key_vault_properties=properties, identity=identity)


def change(name, body):
    """Accounts change by long-running operations from 2021-11-01 on."""
    calls = client.mediaservices
    begin = getattr(calls, "begin_" + name, None)
    if begin is None:
        return getattr(calls, name)(GROUP, ACCOUNT, body)
    return begin(GROUP, ACCOUNT, body, polling_interval=1).result()


def accounts():
    change("create_or_update", models.MediaService(location="westeurope"))
    assert ACCOUNT in [one.name for one in client.mediaservices.list(GROUP)]


def customer_key():
    changed = change("update", models.MediaServiceUpdate(encryption=encryption(KEY)))
    assert changed.encryption.key_vault_properties.current_key_identifier.startswith(KEY + "/")


def refused_key():
    try:
        change("update", models.MediaServiceUpdate(encryption=encryption(KEY + "-missing")))
    except HttpResponseError as error:
        assert (error.status_code, error.error.code) == (400, "KeyNotFound"), error
    else:
        raise AssertionError("It was accepted.")


def content_keys():
    locator = models.StreamingLocator(asset_name="trailer", streaming_policy_name="Predefined_ClearKey")
    made = client.streaming_locators.create(GROUP, ACCOUNT, "trailer", locator)
    assert made.content_keys[0].value is None
    keys = client.streaming_locators.list_content_keys(GROUP, ACCOUNT, "trailer").content_keys
    assert len(keys[0].value) == 24


def token_keys():
    restriction = models.ContentKeyPolicyTokenRestriction(
        issuer="issuer",
        audience="audience",
        restriction_token_type="Jwt",
        primary_verification_key=models.ContentKeyPolicySymmetricTokenKey(key_value=secret),
    )
    option = models.ContentKeyPolicyOption(
        configuration=models.ContentKeyPolicyClearKeyConfiguration(), restriction=restriction
    )
    policy = models.ContentKeyPolicy(options=[option])
    client.content_key_policies.create_or_update(GROUP, ACCOUNT, "tokens", policy)

    def key_of(seen):
        return seen.options[0].restriction.primary_verification_key.key_value

    assert key_of(client.content_key_policies.get(GROUP, ACCOUNT, "tokens")) is None
    with_secrets = client.content_key_policies.get_policy_properties_with_secrets(GROUP, ACCOUNT, "tokens")
    assert bytes(key_of(with_secrets)) == secret


def job_inputs():
    preset = models.BuiltInStandardEncoderPreset(preset_name="AdaptiveStreaming")
    transform = models.Transform(outputs=[models.TransformOutput(preset=preset)])
    client.transforms.create_or_update(GROUP, ACCOUNT, "encode", transform)
    job = models.Job(
        input=models.JobInputHttp(base_uri="https://media.example/", files=["a.mp4?sig=secret"]),
        outputs=[models.JobOutputAsset(asset_name="output")],
    )
    client.jobs.create(GROUP, ACCOUNT, "encode", "first", job)
    assert client.jobs.get(GROUP, ACCOUNT, "encode", "first").input.files == ["a.mp4"]
    client.jobs.cancel_job(GROUP, ACCOUNT, "encode", "first")


def delete():
    client.mediaservices.delete(GROUP, ACCOUNT)


results = {}
for call in (accounts, customer_key, refused_key, content_keys, token_keys, job_inputs, delete):
    try:
        call()
        results[call.__name__] = "yes"
    except Exception as error:  # pylint: disable=broad-except
        results[call.__name__] = f"{type(error).__name__}: {str(error)[:200]}"
print(json.dumps({"client": f"Debian python3-azure, azure-mgmt-media {_version.VERSION}", "results": results}))
