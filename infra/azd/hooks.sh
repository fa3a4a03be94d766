#!/usr/bin/env bash
# What `azd up` does beside the resources and the code. azure.yaml names each step; azd sets the variables.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)

case ${1:-} in
  preprovision)
    # One application for each environment, with its client id as the audience of tokens.
    audience=$(KEYWARD_APPLICATION_NAME=${KEYWARD_APPLICATION_NAME:-Keyward-$AZURE_ENV_NAME} "$root/entra.sh" application)
    azd env set KEYWARD_AUTH_AUDIENCE "$audience"
    [[ -n ${KEYWARD_ALERT_EMAILS:-} ]] || echo "
WARNING: no one receives the alerts of this deployment: azd env set KEYWARD_ALERT_EMAILS oncall@contoso.example
" >&2
    ;;
  postdeploy)
    # Event Grid subscribes only functions that exist, so this comes after the code.
    az deployment group create --name keyward-events --resource-group "$AZURE_RESOURCE_GROUP" --output none \
      --template-file "$root/events.bicep" --parameters "appName=$KEYWARD_APP" \
      "hostStorageName=$KEYWARD_HOST_STORAGE" "operatorVaultName=$KEYWARD_OPERATOR_VAULT"
    echo "https://$KEYWARD_HOST"
    ;;
  *)
    echo 'Usage: infra/azd/hooks.sh preprovision, or: infra/azd/hooks.sh postdeploy' >&2
    exit 1
    ;;
esac
