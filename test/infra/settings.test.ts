/** The app settings: what the template deploys, what the code reads, and what docs/settings.md explains. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSettings, settingOfPolicy } from '../../src/azure/settings.ts';
import { defaultPolicy } from '../../src/core/base/policy.ts';
import { settingRows, settingsInSource } from '../settings.ts';
import { appSettings, asShipped, everything, ownNetwork } from './deployment.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const settingsPage = readFileSync(join(root, 'docs/settings.md'), 'utf8');
const rows = settingRows(settingsPage);
const [, hostTable = ''] = /^## The Functions host's own$([\s\S]*?)^##/m.exec(settingsPage) ?? [];
const ofHost = [...hostTable.matchAll(/^\| `(\w+)` \| /gm)].map(([, name = '']) => name);

const inSource = settingsInSource();
/** A connection is read by one name and made of several settings: KEYWARD_DIAGNOSTICS__fullyQualifiedNamespace. */
const readAs = (name: string): string => (inSource.includes(name) ? name : name.replace(/__\w+$/, ''));
const deployed = Object.keys(appSettings(everything));
const ofApp = deployed.filter((name) => !ofHost.includes(name)).map(readAs);
const developmentOnly = rows.filter(({ meaning }) => meaning.startsWith('Development only:')).map(({ name }) => name);

describe('the app settings', () => {
  it('the app settings that the code reads are deployed, unless docs/settings.md says "Development only:"', () => {
    const missing = inSource.filter((name) => !ofApp.includes(name) && !developmentOnly.includes(name));
    const where = 'infra/modules/app.bicep, infra/main.bicep and test/infra/everything.bicepparam';
    expect(missing, `Add to ${where}, and run: npm run infra -- --write`).toEqual([]);
  });

  it('the app settings that are deployed are read by the code, or by the Functions host as docs/settings.md says', () => {
    const unread = ofApp.filter((name) => !inSource.includes(name));
    expect(unread, 'No code under src/ reads them: remove them from infra/modules/app.bicep').toEqual([]);
    expect(deployed).toEqual(expect.arrayContaining(ofHost));
    expect(ofHost.filter((name) => inSource.includes(name))).toEqual([]);
  });

  it('the app settings that are deployed are in docs/settings.md, and no deployment has one that is for development', () => {
    const documented = rows.map(({ name }) => name);
    expect(ofApp.filter((name) => !documented.includes(name))).toEqual([]);
    expect(ofApp.filter((name) => developmentOnly.includes(name))).toEqual([]);
  });

  it('the app settings that docs/settings.md calls required are deployed by the parameters as they are shipped', () => {
    const required = rows.filter(({ meaning }) => /^Required[.: ]/.test(meaning)).map(({ name }) => name);
    expect(required.length).toBeGreaterThan(4);
    expect(Object.keys(appSettings(asShipped))).toEqual(expect.arrayContaining(required));
  });

  it.each([
    ['as they are shipped', asShipped],
    ['all of them', everything],
    ['of an own network', ownNetwork],
  ])('the app settings with the parameters %s are accepted by the app', (_, one) => {
    expect(() => readSettings(appSettings(one))).not.toThrow();
  });

  it('the app settings are empty for no parameter: a setting that is not chosen is not deployed', () => {
    for (const one of [asShipped, everything, ownNetwork]) expect(Object.values(appSettings(one))).not.toContain('');
  });

  it('the app settings of the policy reach the app as the parameters say, each of them', () => {
    const parameters = readFileSync(join(root, 'test/infra/everything.bicepparam'), 'utf8');
    const chosen = [...parameters.matchAll(/^ {2}(KEYWARD_\w+): (\d+|true|false)$/gm)].map(([, name, value]) => [
      name,
      value,
    ]);
    const policy = Object.entries(readSettings(appSettings(everything)).policy);
    const read = policy.map(([name, value]) => [settingOfPolicy(name), String(value)]);
    expect(chosen.toSorted()).toEqual(read.toSorted());
    expect(policy.filter(([name, value]) => defaultPolicy[name as keyof typeof defaultPolicy] === value)).toEqual([]);
  });

  it('the app settings of the policy are refused by the template under a name that the policy does not have', () => {
    const { definitions, parameters } = JSON.parse(readFileSync(join(root, 'infra/main.json'), 'utf8'));
    const { properties, additionalProperties } = definitions[parameters.policy.$ref.replace('#/definitions/', '')];
    expect(Object.keys(properties).toSorted()).toEqual(Object.keys(defaultPolicy).map(settingOfPolicy).toSorted());
    expect(additionalProperties).toBe(false);
  });
});
