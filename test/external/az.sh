#!/bin/sh
# What an operator does with the Azure CLI: `az ams` where Debian's package has the call, and `az rest` for the others.
# Prints one JSON object for each: call and result.
set -u
group=media
account=azfilms
key=https://contoso-keys.vault.azure.net/keys/media
base=https://management.azure.com/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/$group/providers/Microsoft.Media/mediaservices
az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" --tenant "$AZURE_TENANT_ID" -o none || exit 1
version=$(az version --query '"azure-cli"' -o tsv)

# Evaluates a command and compares what it prints: result NAME EXPECTED COMMAND...
result() {
  name=$1 expected=$2
  shift 2
  seen=$("$@" 2>&1)
  case $seen in
    $expected) answer=yes ;;
    *"has no attribute"*) answer='not in this package' ;;
    *) answer=$(printf %.120s "$seen" | tr '"\\\n' "'/ ") ;;
  esac
  results="${results:+$results,}\"$name\":\"$answer\""
}
print() {
  printf '{"client":"%s","results":{%s}}\n' "$1" "$results"
  results=
}
rest() {
  method=$1 path=$2
  shift 2
  az rest --method "$method" --url "$base/$path" "$@"
}

results=
rest put "$account?api-version=2021-11-01" --body '{"location":"westeurope"}' -o none
result accounts "$account" az ams account show -n $account -g $group --query name -o tsv
result customer_key "$key*" az ams account encryption set -a $account -g $group --key-type CustomerKey \
  --key-identifier $key --query encryption.keyVaultProperties.currentKeyIdentifier -o tsv
result refused_key '*KeyNotFound*' az ams account encryption set -a $account -g $group --key-type CustomerKey \
  --key-identifier $key-missing
az ams streaming-locator create -a $account -g $group -n trailer --asset-name a \
  --streaming-policy-name Predefined_ClearKey -o none
result content_keys '????????????????????????' az ams streaming-locator list-content-keys -a $account -g $group \
  -n trailer --query '[0].value' -o tsv
az ams content-key-policy create -a $account -g $group -n tokens --policy-option-name o --clear-key-configuration \
  --issuer i --audience a --token-type Jwt --token-key dG9rZW4ga2V5 --token-key-type Symmetric -o none
result token_keys dG9rZW4ga2V5 az ams content-key-policy show -a $account -g $group -n tokens --with-secrets \
  --query 'options[0].restriction.primaryVerificationKey.keyValue' -o tsv
az ams transform create -a $account -g $group -n encode --preset AdaptiveStreaming -o none
result job_inputs a.mp4 az ams job start -a $account -g $group -t encode -n first --base-uri https://media.example/ \
  --files 'a.mp4?sig=secret' --output-assets out= --query 'input.files[0]' -o tsv
result delete '' az ams account delete -n $account -g $group
print "Debian azure-cli $version, az ams"

account=restfilms
v=api-version
rest put "$account?$v=2021-06-01" --body '{"location":"westeurope","identity":{"type":"SystemAssigned"}}' -o none
encryption() {
  printf '{"properties":{"encryption":{"type":"CustomerKey","keyVaultProperties":{"keyIdentifier":"%s"}}}}' "$1"
}
result accounts "*$account*" rest get "?$v=2021-06-01" --query 'value[].name' -o tsv
result customer_key "$key/*" rest patch "$account?$v=2021-06-01" --body "$(encryption $key)" \
  --query properties.encryption.keyVaultProperties.currentKeyIdentifier -o tsv
result refused_key '*KeyNotFound*' rest patch "$account?$v=2021-06-01" --body "$(encryption $key-missing)"
rest put "$account/streamingLocators/trailer?$v=2022-08-01" -o none \
  --body '{"properties":{"assetName":"a","streamingPolicyName":"Predefined_ClearKey"}}'
result content_keys '????????????????????????' rest post "$account/streamingLocators/trailer/listContentKeys?$v=2022-08-01" \
  --query 'contentKeys[0].value' -o tsv
type=#Microsoft.Media.ContentKeyPolicy
rest put "$account/contentKeyPolicies/tokens?$v=2022-08-01" -o none --body "{\"properties\":{\"options\":[{
  \"configuration\":{\"@odata.type\":\"${type}ClearKeyConfiguration\"},\"restriction\":{
  \"@odata.type\":\"${type}TokenRestriction\",\"issuer\":\"i\",\"audience\":\"a\",\"restrictionTokenType\":\"Jwt\",
  \"primaryVerificationKey\":{\"@odata.type\":\"${type}SymmetricTokenKey\",\"keyValue\":\"dG9rZW4ga2V5\"}}}]}}"
result token_keys dG9rZW4ga2V5 rest post \
  "$account/contentKeyPolicies/tokens/getPolicyPropertiesWithSecrets?$v=2022-08-01" \
  --query 'options[0].restriction.primaryVerificationKey.keyValue' -o tsv
rest put "$account/transforms/encode?$v=2022-07-01" -o none --body '{"properties":{"outputs":[{"preset":{
  "@odata.type":"#Microsoft.Media.BuiltInStandardEncoderPreset","presetName":"AdaptiveStreaming"}}]}}'
result job_inputs a.mp4 rest put "$account/transforms/encode/jobs/first?$v=2022-07-01" --query \
  'properties.input.files[0]' -o tsv --body '{"properties":{"input":{"@odata.type":"#Microsoft.Media.JobInputHttp",
  "baseUri":"https://media.example/","files":["a.mp4?sig=secret"]},"outputs":[{
  "@odata.type":"#Microsoft.Media.JobOutputAsset","assetName":"out"}]}}'
result delete '' rest delete "$account?$v=2021-06-01"
print "Debian azure-cli $version, az rest"
