// Types of parameters that several templates share.

@export()
type tagList = {
  *: string
}

@export()
@description('A user-assigned identity that accounts may name. This prints one: az identity show --ids <id> --query "{id:id, principalId:principalId, clientId:clientId}"')
type userAssignedIdentity = {
  id: string
  principalId: string
  clientId: string
  @description('True for an identity that only speaks for an application and reaches no vault itself: it gets no role.')
  speaksForApplication: bool?
}

@export()
@description('Instances that always run: {name: \'http\'} or {name: \'function:sweep\'}.')
type alwaysReadyInstances = {
  name: string
  instanceCount: int
}

@export()
@sealed()
@description('The settings of "Policy" in docs/settings.md. Another name is refused.')
type policySettings = {
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: int?
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: int?
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: int?
  KEYWARD_LOOK_SPACING_SECONDS: int?
  KEYWARD_LOOK_DEADLINE_SECONDS: int?
  KEYWARD_STORAGE_DEADLINE_SECONDS: int?
  KEYWARD_VERSION_CHECK_INTERVAL_SECONDS: int?
  KEYWARD_CONFIRM_KEY_DISABLED_LOOKS: int?
  KEYWARD_CONFIRM_KEY_NOT_FOUND_LOOKS: int?
  KEYWARD_CONFIRM_KEY_NOT_FOUND_SECONDS: int?
  KEYWARD_CONFIRM_PERMISSION_LOOKS: int?
  KEYWARD_CONFIRM_PERMISSION_SECONDS: int?
  KEYWARD_CONFIRM_VAULT_NOT_FOUND_LOOKS: int?
  KEYWARD_CONFIRM_VAULT_NOT_FOUND_SECONDS: int?
  KEYWARD_NETWORK_POLICY_DISABLES: bool?
  KEYWARD_CONFIRM_NETWORK_POLICY_LOOKS: int?
  KEYWARD_CONFIRM_NETWORK_POLICY_SECONDS: int?
  KEYWARD_LEASE_SECONDS: int?
  KEYWARD_LEASE_GRACE_SECONDS: int?
  KEYWARD_ACCOUNTS_PER_MESSAGE: int?
  KEYWARD_SWEEP_RANGES: int?
  KEYWARD_WORKER_LEASE_SECONDS: int?
  KEYWARD_VAULT_SHARE_PERCENT: int?
  KEYWARD_KEY_NEAR_EXPIRY_DAYS: int?
  KEYWARD_REVEALS_PER_MINUTE: int?
  KEYWARD_DELETE_AFTER_DAYS: int?
  KEYWARD_RING_ROTATION_DAYS: int?
  KEYWARD_SAFE_TO_DISABLE_AFTER_SECONDS: int?
  KEYWARD_OPERATION_RETRY_SECONDS: int?
  KEYWARD_OPERATION_TIMEOUT_SECONDS: int?
  KEYWARD_LOG_GOOD_KEY_CHECKS: bool?
}
