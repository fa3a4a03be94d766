/**
 * The path of an account in Azure Resource Manager: subscription and resource group. It is set at creation and never
 * changes. Keyward stores it as written and compares it without case. An account without this path does not exist on
 * the routes of Azure Media Services.
 */
import { Refusal } from './errors.ts';
import { fold, isGuid } from './names.ts';

export interface ArmPath {
  readonly subscriptionId: string;
  readonly resourceGroup: string;
}

/** Azure Resource Manager, "Naming rules": letters, digits, `.`, `_`, `-`, `(` and `)`, not ending with a period. */
const groupPattern = /^[-\w.()\p{L}\p{Nd}]{0,89}[-\w()\p{L}\p{Nd}]$/u;

/** @throws Refusal InvalidParameter */
export function parseArmPath({ subscriptionId, resourceGroup }: ArmPath, targets: ArmPath = inPath): ArmPath {
  if (!isGuid(fold(subscriptionId)))
    throw new Refusal('InvalidParameter', 'A subscription id is a GUID: 8-4-4-4-12 hexadecimal digits.', {
      target: targets.subscriptionId,
    });
  if (!groupPattern.test(resourceGroup))
    throw new Refusal(
      'InvalidParameter',
      "A resource group's name has 1 to 90 letters, digits, periods, underscores, hyphens and parentheses, and does not end with a period.",
      { target: targets.resourceGroup },
    );
  return { subscriptionId, resourceGroup };
}

const inPath = { subscriptionId: 'subscriptionId', resourceGroup: 'resourceGroupName' };

export const isSameArmPath = (one: ArmPath | undefined, two: ArmPath | undefined): boolean =>
  one !== undefined &&
  two !== undefined &&
  isInSubscription(one, two) &&
  fold(one.resourceGroup) === fold(two.resourceGroup);

/** A path can name the subscription alone. */
export const isAt = (place: ArmPath | undefined, { subscriptionId, resourceGroup }: PathOrSubscription): boolean =>
  resourceGroup === undefined
    ? isInSubscription(place, { subscriptionId })
    : isSameArmPath(place, { subscriptionId, resourceGroup });

interface PathOrSubscription {
  readonly subscriptionId: string;
  readonly resourceGroup: string | undefined;
}

export const isInSubscription = (
  one: Pick<ArmPath, 'subscriptionId'> | undefined,
  two: Pick<ArmPath, 'subscriptionId'>,
): boolean => one !== undefined && fold(one.subscriptionId) === fold(two.subscriptionId);
