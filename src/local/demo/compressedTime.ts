/** The settings of the demo: Keyward looks every few seconds. */

/** A minute becomes two seconds: the same rules in less time. */
export const compressedTime = {
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '2',
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '1',
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '1',
  KEYWARD_LOOK_SPACING_SECONDS: '1',
  KEYWARD_CONFIRM_KEY_NOT_FOUND_SECONDS: '2',
  KEYWARD_CONFIRM_PERMISSION_SECONDS: '3',
  KEYWARD_VERSION_CHECK_INTERVAL_SECONDS: '4',
  KEYWARD_SWEEP_SCHEDULE: '*/2 * * * * *',
};
