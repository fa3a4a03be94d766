# What the scripts of this folder share. They source it.

# 2.60.0 is the first Azure CLI that deploys a package to Flex Consumption and lists the runtimes of a region.
least_az=2.60.0

fail() {
  echo "$1" >&2
  exit 1
}

# Every script calls this before it creates anything.
require_az() {
  local version
  version=$(az version --query '"azure-cli"' --output tsv) || fail 'The Azure CLI (az) is not on PATH.'
  [[ $(printf '%s\n' "$least_az" "$version" | sort -V | head -n 1) == "$least_az" ]] ||
    fail "The Azure CLI is $version. Keyward needs $least_az or newer: az upgrade"
}

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

# <resource group> <app> <storage account of the Functions host> <operator's vault> <tags>. Event Grid subscribes only
# functions that exist, and finds new ones after a moment, so this comes after the code.
subscribe_events() {
  retry 6 'The events could not be subscribed. Keyward works without them, more slowly. Run this again after you fixed the cause.' \
    az deployment group create --name keyward-events --resource-group "$1" --template-file "$root/infra/events.bicep" --output none \
    --parameters "appName=$2" "hostStorageName=$3" "operatorVaultName=$4" "tags=$5" \
    "watchSubscription=${WATCH_SUBSCRIPTION:-true}"
}
