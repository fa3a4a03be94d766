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
source "$root/infra/az.sh"

# Everything that is missing is reported before anything is created.
require_az
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
  # An identity with rights on one resource group only may not read this. Then a person has registered the providers.
  state=$(az provider show --namespace $provider --query registrationState --output tsv 2>/dev/null) || continue
  [[ $state == Registered ]] || az provider register --namespace $provider --wait
done

[[ -n ${KEYWARD_PACKAGE:-} ]] || npm --prefix "$root" run --silent package

# An existing group keeps its tags: another creation would remove them.
[[ $(az group exists --name "$group") == true ]] || az group create --name "$group" --location "$region" --output none
az deployment group create --name keyward --resource-group "$group" --parameters "$parameters" --output none
output() {
  az deployment group show --name keyward --resource-group "$group" --query "properties.outputs.$1.value" --output "${2:-tsv}"
}
app=$(output appName)

# A new role takes up to ten minutes to work at the storage account.
retry 20 'The package could not be deployed.' \
  az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$package" --output none

subscribe_events "$group" "$app" "$(output hostStorageName)" "$(output operatorVaultName)" "$(output tags json)"

echo "https://$(output hostName)"
