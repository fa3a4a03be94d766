#!/usr/bin/env bash
# Deploys or upgrades Keyward: the resources, then the code, then the event subscriptions, because each needs the one before.
# It can be repeated. docs/deploy.md explains every line.
#
#   infra/deploy.sh <resource group> <region> [parameter file]
#
# Without a parameter file it uses infra/production.bicepparam, and copies main.bicepparam there if that is missing.
# KEYWARD_PACKAGE=<keyward.zip of a release> deploys that package instead of building one.
# WATCH_SUBSCRIPTION=false for a subscription that already has an Event Grid system topic of its own.
set -euo pipefail

group=${1:?'Usage: infra/deploy.sh <resource group> <region> [parameter file]'}
region=${2:?'Usage: infra/deploy.sh <resource group> <region> [parameter file]'}
root=$(cd "$(dirname "$0")/.." && pwd)
parameters=${3:-$root/infra/production.bicepparam}
package=${KEYWARD_PACKAGE:-$root/build/keyward.zip}
# 2.60.0 is the first that deploys a package to Flex Consumption and lists the runtimes of a region.
least_az=2.60.0

fail() {
  echo "$1" >&2
  exit 1
}

# Everything that is missing is reported before anything is created.
az_version=$(az version --query '"azure-cli"' --output tsv) || fail 'The Azure CLI (az) is not on PATH.'
[[ $(printf '%s\n' "$least_az" "$az_version" | sort -V | head -n 1) == "$least_az" ]] ||
  fail "The Azure CLI is $az_version. Keyward needs $least_az or newer: az upgrade"
subscription=$(az account show --query name --output tsv) ||
  fail 'Log in first: az login, then az account set --subscription <subscription>.'
if [[ ! -f $parameters ]]; then
  [[ $# -lt 3 ]] || fail "The parameter file $parameters does not exist."
  cp "$root/infra/main.bicepparam" "$parameters"
  echo "Created $parameters. Put the changes for your deployment there." >&2
fi
if [[ -z ${KEYWARD_AUTH_AUDIENCE:-} ]] && grep -q "^[^/]*readEnvironmentVariable('KEYWARD_AUTH_AUDIENCE')" "$parameters"; then
  fail "KEYWARD_AUTH_AUDIENCE is not set. Run: export KEYWARD_AUTH_AUDIENCE=\$(infra/entra.sh application)
For a trial without access tokens, write param auth = 'functionKeys' into $parameters and remove the line with authAudience."
fi
[[ -z ${KEYWARD_PACKAGE:-} || -f $package ]] || fail "The package $package does not exist."

has_receiver() {
  [[ -z ${KEYWARD_ALERT_EMAILS:-} ]] || ! grep -q KEYWARD_ALERT_EMAILS "$parameters" || return 0
  grep -E '^param alert(Emails|Webhooks|ActionGroupIds) *=' "$parameters" | grep -qvE '= *\[ *\]|KEYWARD_ALERT_EMAILS'
}
if ! has_receiver; then
  email=
  if [[ -t 0 ]]; then
    read -rp 'E-mail address that receives alerts (Enter for none): ' email
  fi
  if [[ -n $email ]]; then
    [[ $email =~ ^[^\'[:space:]]+@[^\'[:space:]]+$ ]] || fail "$email is not an e-mail address."
    grep -v '^param alertEmails' "$parameters" >"$parameters.new" || true
    echo "param alertEmails = ['$email']" >>"$parameters.new"
    mv "$parameters.new" "$parameters"
  else
    echo "
WARNING: no one receives the alerts of this deployment. A lost key, a stopped sweep or a damaged record is visible in the
         Azure portal only. Set alertEmails, alertWebhooks or alertActionGroupIds in $parameters.
" >&2
  fi
fi
az bicep build-params --file "$parameters" --stdout >/dev/null ||
  fail "The parameter file $parameters does not compile. With a Bicep that is too old, run: az bicep upgrade"

echo "Deploys to the subscription $subscription." >&2
for provider in Microsoft.Web Microsoft.Storage Microsoft.KeyVault Microsoft.EventGrid Microsoft.Insights \
  Microsoft.OperationalInsights Microsoft.App Microsoft.Network; do
  [[ $(az provider show --namespace $provider --query registrationState --output tsv) == Registered ]] ||
    az provider register --namespace $provider --wait
done

# <attempts> <what failed> <command>
retry() {
  local attempt times=$1 what=$2
  shift 2
  for ((attempt = 1; ; attempt++)); do
    "$@" && return
    ((attempt < times)) || fail "$what"
    echo "Tries again in ${RETRY_SECONDS:-30} s ($attempt of $times)." >&2
    sleep "${RETRY_SECONDS:-30}"
  done
}

[[ -n ${KEYWARD_PACKAGE:-} ]] || npm --prefix "$root" run --silent package

az group create --name "$group" --location "$region" --output none
az deployment group create --name keyward --resource-group "$group" --parameters "$parameters" --output none
output() {
  az deployment group show --name keyward --resource-group "$group" --query "properties.outputs.$1.value" --output "${2:-tsv}"
}
app=$(output appName)

# A new role takes up to ten minutes to work at the storage account.
retry 20 'The package could not be deployed.' \
  az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$package" --output none

# Event Grid finds new functions after a moment.
retry 6 'The events could not be subscribed. Keyward works without them, more slowly. Run this again after you fixed the cause.' \
  az deployment group create --name keyward-events --resource-group "$group" --template-file "$root/infra/events.bicep" --output none \
  --parameters "appName=$app" "hostStorageName=$(output hostStorageName)" "operatorVaultName=$(output operatorVaultName)" \
  "watchSubscription=${WATCH_SUBSCRIPTION:-true}" "tags=$(output tags json)"

echo "https://$(output hostName)"
