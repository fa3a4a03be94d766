#!/usr/bin/env bash
# Deploys Keyward, or upgrades it: the resources, the code, the event subscriptions, in this order, because each wants the one before.
# Can be repeated. docs/deploy.md explains every line.
#
#   infra/deploy.sh <resource group> <region> [parameter file]
#
# Without a parameter file it is infra/production.bicepparam, which is made from main.bicepparam where it is missing.
# WATCH_SUBSCRIPTION=false where the subscription has an Event Grid system topic of its own already.
set -euo pipefail

group=${1:?'Usage: infra/deploy.sh <resource group> <region> [parameter file]'}
region=${2:?'Usage: infra/deploy.sh <resource group> <region> [parameter file]'}
root=$(cd "$(dirname "$0")/.." && pwd)
parameters=${3:-$root/infra/production.bicepparam}

fail() {
  echo "$1" >&2
  exit 1
}

# What is missing is said before anything is made.
if [[ ! -f $parameters ]]; then
  [[ $# -lt 3 ]] || fail "There is no file $parameters."
  cp "$root/infra/main.bicepparam" "$parameters"
  echo "Made $parameters: what you change for your deployment goes there." >&2
fi
if [[ -z ${KEYWARD_AUTH_AUDIENCE:-} ]] && grep -q "^[^/]*readEnvironmentVariable('KEYWARD_AUTH_AUDIENCE')" "$parameters"; then
  fail "KEYWARD_AUTH_AUDIENCE is not set. Either export it, with the client id of the application that callers ask tokens for
(docs/deploy.md, step 3), or write param auth = 'functionKeys' into $parameters and take the line with authAudience away."
fi
subscription=$(az account show --query name --output tsv) || fail 'Log in first: az login, then az account set --subscription <subscription>.'
echo "Deploys into the subscription $subscription." >&2

for provider in Microsoft.Web Microsoft.Storage Microsoft.KeyVault Microsoft.EventGrid Microsoft.Insights Microsoft.OperationalInsights Microsoft.App; do
  [[ $(az provider show --namespace $provider --query registrationState --output tsv) == Registered ]] ||
    az provider register --namespace $provider --wait
done

# <how often> <what could not be done> <command>
patiently() {
  local attempt times=$1 what=$2
  shift 2
  for ((attempt = 1; ; attempt++)); do
    "$@" && return
    ((attempt < times)) || fail "$what"
    echo "Once more in ${RETRY_SECONDS:-30} s ($attempt of $times)." >&2
    sleep "${RETRY_SECONDS:-30}"
  done
}

npm --prefix "$root" run --silent package

az group create --name "$group" --location "$region" --output none
az deployment group create --name keyward --resource-group "$group" --parameters "$parameters" --output none
output() {
  az deployment group show --name keyward --resource-group "$group" --query "properties.outputs.$1.value" --output "${2:-tsv}"
}
app=$(output appName)

# Roles that were just given take up to ten minutes to reach the storage account.
patiently 20 'The package could not be deployed.' \
  az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$root/build/keyward.zip" --output none

# Functions that were just deployed take a moment until Event Grid finds them.
patiently 6 'The events could not be subscribed. The service runs without them, more slowly; deploy again when you know why.' \
  az deployment group create --name keyward-events --resource-group "$group" --template-file "$root/infra/events.bicep" --output none \
  --parameters "appName=$app" "storageName=$(output storageName)" "operatorVaultName=$(output operatorVaultName)" \
  "watchSubscription=${WATCH_SUBSCRIPTION:-true}" "tags=$(output tags json)"

echo "https://$(output hostName)"
