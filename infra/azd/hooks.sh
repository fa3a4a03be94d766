#!/usr/bin/env bash
# What `azd up` does beside the resources and the code. azure.yaml names each step; azd sets the variables.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
source "$root/infra/az.sh"

# azd and the Azure CLI have a log-in each. The hooks use the Azure CLI.
require_same_subscription() {
  local subscription
  subscription=$(az account show --query id --output tsv) || fail 'Log in to the Azure CLI too: az login'
  [[ $subscription == "$AZURE_SUBSCRIPTION_ID" ]] || fail "The Azure CLI uses the subscription $subscription, and azd another one.
Run: az account set --subscription $AZURE_SUBSCRIPTION_ID"
}

require_az
require_same_subscription
case ${1:-} in
  preprovision)
    # One application for each environment, with its client id as the audience of tokens.
    audience=$(KEYWARD_APPLICATION_NAME=${KEYWARD_APPLICATION_NAME:-Keyward-$AZURE_ENV_NAME} "$root/infra/entra.sh" application)
    azd env set KEYWARD_AUTH_AUDIENCE "$audience"
    [[ -n ${KEYWARD_ALERT_EMAILS:-} ]] || echo "
WARNING: no one receives the alerts of this deployment: azd env set KEYWARD_ALERT_EMAILS oncall@contoso.example
" >&2
    ;;
  postdeploy)
    subscribe_events "$AZURE_RESOURCE_GROUP" "$KEYWARD_APP" "$KEYWARD_HOST_STORAGE" "$KEYWARD_OPERATOR_VAULT" \
      "{\"environment\":\"$AZURE_ENV_NAME\"}"
    echo "https://$KEYWARD_HOST"
    ;;
  *) fail 'Usage: infra/azd/hooks.sh preprovision, or: infra/azd/hooks.sh postdeploy' ;;
esac
