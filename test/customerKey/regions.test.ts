import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Refusal } from '../../src/core/base/errors.ts';
import type { Cloud } from '../../src/core/customerKey/keyVaultHosts.ts';
import { checkRegion } from '../../src/core/customerKey/regions.ts';

const refusalOf = (location: string, cloud: Cloud): Pick<Refusal, 'code' | 'message'> | undefined => {
  try {
    checkRegion(location, cloud);
    return undefined;
  } catch (error) {
    return error as Refusal;
  }
};

describe('a region', () => {
  it.each<[Cloud, string]>([
    ['public', 'westeurope'],
    ['public', 'West Europe'],
    ['public', 'WESTEUROPE'],
    ['public', 'East US 2'],
    ['public', ' northeurope '],
    ['usgov', 'USGov Virginia'],
    ['usgov', 'US Gov Arizona'],
    ['china', 'China North 3'],
  ])('the cloud %s takes the region %s by name, display name and in any case', (cloud, location) => {
    expect(refusalOf(location, cloud)).toBeUndefined();
  });

  it('every region that Azure Resource Manager lists is accepted', () => {
    const { public: listed } = JSON.parse(
      readFileSync(new URL('../fixtures/azureRegions.json', import.meta.url), 'utf8'),
    );
    expect(listed.length).toBeGreaterThan(50);
    expect(listed.filter((region: string) => refusalOf(region, 'public') !== undefined)).toEqual([]);
  });

  it.each<[Cloud, string, RegExp]>([
    ['public', 'nowhere', /'nowhere' is no Azure region\..*az account list-locations/],
    ['public', 'westeurop', /Possibly it should be westeurope\./],
    ['public', 'west-europe', /Possibly it should be westeurope\./],
    ['public', '(Europe) West Europe', /Possibly it should be westeurope\./],
    ['public', 'europe', /Possibly it should be northeurope or westeurope\./],
    ['public', 'westeuorpe', /Possibly it should be westeurope\./],
    ['public', 'toString', /no Azure region/],
    ['public', '', /no Azure region/],
    ['public', 'chinanorth3', /region of the cloud 'china'; this service is set to 'public' \(setting KEYWARD_CLOUD\)/],
    ['usgov', 'westeurope', /region of the cloud 'public'.*KEYWARD_CLOUD/],
    ['china', 'china-north', /Possibly it should be chinanorth/],
  ])('in the cloud %s the refusal of the region %s says what may have been meant', (cloud, location, sentence) => {
    expect(refusalOf(location, cloud)).toMatchObject({ code: 'InvalidRequestContent', extras: { target: 'location' } });
    expect(refusalOf(location, cloud)?.message).toMatch(sentence);
  });
});
