#!/usr/bin/env bash
# The application in Microsoft Entra ID that callers request tokens for, and who has which of its app roles. Can be repeated.
#
#   infra/entra.sh application                      creates or updates the application, and prints its client id
#   infra/entra.sh console <address>                lets the console at that address sign users in
#   infra/entra.sh allow <principal> <role>...      assigns app roles to an object id, or to the signed-in user: me
#
# KEYWARD_APPLICATION_NAME names the application; Keyward is the default. Two environments need two names.
set -euo pipefail

name=${KEYWARD_APPLICATION_NAME:-Keyward}
root=$(cd "$(dirname "$0")/.." && pwd)
source "$root/infra/az.sh"
# The Azure CLI (azure-cli, _constants: AZURE_CLI_CLIENT_ID).
AZURE_CLI=04b07795-8ddb-461a-bbee-02f9e1bf7b46

client_id() {
  az ad app list --filter "displayName eq '$name'" --query '[].appId' --output tsv
}

# The address of Microsoft Graph in the cloud that the Azure CLI is signed in to.
find_graph() {
  graph=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
  graph=${graph%/}/v1.0
}

# <path below Microsoft Graph> <method> <body>
call_graph() {
  az rest --method "$2" --url "$graph/$1" --headers Content-Type=application/json --body "$3" --output none
}

make_application() {
  local id
  require_az
  find_graph
  id=$(client_id)
  [[ $id != *$'\n'* ]] || fail "The tenant has several applications named $name. Set KEYWARD_APPLICATION_NAME."
  if [[ -z $id ]]; then
    id=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)
  fi
  az ad app update --id "$id" --identifier-uris "api://$id" --app-roles "@$root/infra/entra/roles.json"
  # A person gets a token through the Azure CLI without a consent. The scope must exist before the Azure CLI is allowed to
  # use it, so these are two calls.
  call_graph "applications(appId='$id')" PATCH "@$root/infra/entra/scope.json"
  call_graph "applications(appId='$id')" PATCH "@$root/infra/entra/azureCli.json"
  [[ -n $(az ad sp list --filter "appId eq '$id'" --query '[].id' --output tsv) ]] || az ad sp create --id "$id" --output none
  echo "$id"
}

# <address of the console, with its last slash>. The page signs in to the application and calls it, so the application
# allows itself.
allow_console() {
  local id scope
  find_graph
  id=$(client_id)
  [[ -n $id ]] || fail "The tenant has no application named $name. Run: infra/entra.sh application"
  scope=$(az ad app show --id "$id" --query "api.oauth2PermissionScopes[?value=='user_impersonation'].id" --output tsv)
  call_graph "applications(appId='$id')" PATCH "{\"spa\":{\"redirectUris\":[\"$1\"]}}"
  call_graph "applications(appId='$id')" PATCH \
    "{\"api\":{\"preAuthorizedApplications\":[{\"appId\":\"$AZURE_CLI\",\"delegatedPermissionIds\":[\"$scope\"]},{\"appId\":\"$id\",\"delegatedPermissionIds\":[\"$scope\"]}]}}"
}

# <object id, or me> <app role>...
allow() {
  local principal=$1 id service role role_id assigned
  shift
  find_graph
  [[ $principal != me ]] || principal=$(az ad signed-in-user show --query id --output tsv)
  id=$(client_id)
  [[ -n $id ]] || fail "The tenant has no application named $name. Run: infra/entra.sh application"
  service=$(az ad sp show --id "$id" --query id --output tsv)
  for role in "$@"; do
    role_id=$(az ad sp show --id "$id" --query "appRoles[?value=='$role'].id" --output tsv)
    [[ -n $role_id ]] || fail "$name has no app role $role. Run infra/entra.sh application, or correct the name."
    assigned=$(az rest --method GET --url "$graph/servicePrincipals/$service/appRoleAssignedTo?\$top=999" \
      --query "value[?principalId=='$principal' && appRoleId=='$role_id'].id" --output tsv)
    [[ -n $assigned ]] || call_graph "servicePrincipals/$service/appRoleAssignedTo" POST \
      "{\"principalId\":\"$principal\",\"resourceId\":\"$service\",\"appRoleId\":\"$role_id\"}"
  done
}

case ${1:-} in
  application) make_application ;;
  console)
    [[ ${2:-} == https://*/console/ ]] || fail 'Usage: infra/entra.sh console https://<app>.azurewebsites.net/console/'
    allow_console "$2"
    ;;
  allow)
    [[ $# -ge 3 ]] || fail 'Usage: infra/entra.sh allow <object id, or me> <app role>...'
    allow "${@:2}"
    ;;
  *) fail 'Usage: infra/entra.sh application, infra/entra.sh console <address>, or infra/entra.sh allow <object id, or me> <app role>...' ;;
esac
