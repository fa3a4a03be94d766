#!/usr/bin/env bash
# Deploys Keyward, or upgrades it: the resources, the code, the event subscriptions, in this order, because each wants the one before.
# Can be repeated. docs/deploy.md explains every line.
#
#   infra/deploy.sh <resource group> <region> [parameter file]
#
# WATCH_SUBSCRIPTION=false where the subscription has an Event Grid system topic of its own already.
set -euo pipefail

group=${1:?'Usage: infra/deploy.sh <resource group> <region> [parameter file]'}
region=${2:?'Usage: infra/deploy.sh <resource group> <region> [parameter file]'}
root=$(cd "$(dirname "$0")/.." && pwd)
parameters=${3:-$root/infra/main.bicepparam}

npm --prefix "$root" run --silent package

az group create --name "$group" --location "$region" --output none
az deployment group create --name keyward --resource-group "$group" --parameters "$parameters" --output none
output() {
  az deployment group show --name keyward --resource-group "$group" --query "properties.outputs.$1.value" --output tsv
}
app=$(output appName)

# Roles that were just given take up to ten minutes to reach the storage account.
for attempt in {1..20}; do
  az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$root/build/keyward.zip" --output none && break
  ((attempt < 20)) || { echo 'The package could not be deployed.' >&2; exit 1; }
  echo "Once more in ${RETRY_SECONDS:-30} s ($attempt of 20)." >&2
  sleep "${RETRY_SECONDS:-30}"
done

az deployment group create --name keyward-events --resource-group "$group" --template-file "$root/infra/events.bicep" --output none \
  --parameters "appName=$app" "storageName=$(output storageName)" "operatorVaultName=$(output operatorVaultName)" \
  "watchSubscription=${WATCH_SUBSCRIPTION:-true}"

echo "https://$(output hostName)"
