/**
 * The regions of each cloud. Keyward compares a vault's region with its account's, and an account's region never
 * changes, so it refuses a name that no region has. Sources: the answer of Azure Resource Manager to "list locations"
 * of March 2026 (Azure/terraform-azurerm-avm-utl-regions, modules/cached-data/locations.tf.json, regions of the type
 * Physical without the staging ones), the map of paired regions of the Azure CLI (azure-cli, backup module,
 * `secondary_region_map`), which has regions with restricted access and those of the other clouds, and the change log
 * of Az PowerShell (israelnorthwest). Finland, Greece, Saudi Arabia and India South Central are announced by Microsoft.
 */
import { Refusal } from '../base/errors.ts';
import { fold, foldRegion } from '../base/names.ts';
import type { Cloud } from './keyVaultHosts.ts';

const regions: Readonly<Record<Cloud, readonly string[]>> = {
  public: `australiacentral australiacentral2 australiaeast australiasoutheast austriaeast belgiumcentral brazilsouth
    brazilsoutheast canadacentral canadaeast centralindia centralus centraluseuap chilecentral denmarkeast eastasia
    eastus eastus2 eastus2euap eastus3 finlandcentral francecentral francesouth germanynorth germanywestcentral
    greececentral indiasouthcentral indonesiacentral israelcentral israelnorthwest italynorth japaneast japanwest
    jioindiacentral jioindiawest koreacentral koreasouth malaysiasouth malaysiawest mexicocentral newzealandnorth
    northcentralus northeastus5 northeurope norwayeast norwaywest polandcentral qatarcentral saudiarabiaeast
    southafricanorth southafricawest southcentralus southcentralus2 southeastasia southeastus southeastus3
    southeastus5 southindia southwestus spaincentral swedencentral swedensouth switzerlandnorth switzerlandwest
    taiwannorth taiwannorthwest uaecentral uaenorth uksouth ukwest westcentralus westeurope westindia westus westus2
    westus3`.split(/\s+/),
  usgov: ['usdodcentral', 'usdodeast', 'usgovarizona', 'usgoviowa', 'usgovtexas', 'usgovvirginia'],
  china: ['chinaeast', 'chinaeast2', 'chinaeast3', 'chinanorth', 'chinanorth2', 'chinanorth3'],
};
const clouds = Object.keys(regions) as Cloud[];
const minCommonLetters = 3;

/**
 * Accepts a region as a name or a display name: `westeurope`, `West Europe`. @throws Refusal InvalidRequestContent that
 * says what may have been meant
 */
export function checkRegion(location: string, cloud: Cloud): void {
  const region = foldRegion(location);
  if (regions[cloud].includes(region)) return;
  const shown = location.slice(0, 90);
  const other = clouds.find((one) => regions[one].includes(region));
  const what =
    other === undefined
      ? `'${shown}' is no Azure region.${suggestion(region, cloud)} az account list-locations -o table lists the regions.`
      : `'${shown}' is a region of the cloud '${other}'; this service is set to '${cloud}' (setting KEYWARD_CLOUD).`;
  throw new Refusal('InvalidRequestContent', what, { target: 'location' });
}

/** Regions whose name holds the text or is in it, or else those that begin most alike. */
function suggestion(text: string, cloud: Cloud): string {
  const letters = fold(text).replaceAll(/[^a-z0-9]/g, '');
  if (letters.length < minCommonLetters) return '';
  const holding = regions[cloud].filter((one) => one.includes(letters) || letters.includes(one));
  const alike = (one: string) => [...one].findIndex((letter, index) => letter !== letters[index]);
  const most = Math.max(...regions[cloud].map(alike), minCommonLetters);
  const meant = holding.length > 0 ? holding : regions[cloud].filter((one) => alike(one) === most);
  return meant.length === 0 ? '' : ` Possibly it should be ${meant.slice(0, 5).join(' or ')}.`;
}
