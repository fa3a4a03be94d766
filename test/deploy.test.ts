/** infra/deploy.sh with an `az` and an `npm` that only write down how they were called: its order, its names, its patience. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parseBicep } from './infra/bicep.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'keyward-deploy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Answers an output with its name, and refuses the package as often as the file `refusals` is long. */
const az = `#!/usr/bin/env bash
echo "az $*" >> ${folder}/calls
if [[ "$*" == *config-zip* && -s ${folder}/refusals ]]; then truncate -s -1 ${folder}/refusals; exit 1; fi
if [[ "$*" =~ outputs\\.([A-Za-z]+)\\.value ]]; then echo "the-\${BASH_REMATCH[1]}"; fi
`;
for (const [name, text] of [
  ['az', az],
  ['npm', `#!/usr/bin/env bash\necho "npm $*" >> ${folder}/calls\n`],
] as const) {
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
}

async function deploy(refusals: number) {
  writeFileSync(join(folder, 'calls'), '');
  writeFileSync(join(folder, 'refusals'), 'x'.repeat(refusals));
  const env = { PATH: `${folder}:${process.env.PATH}`, RETRY_SECONDS: '0' };
  const run = promisify(execFile)(`${root}infra/deploy.sh`, ['group', 'westeurope'], { env });
  const ended = await run.then(({ stdout }) => ({ code: 0, stdout })).catch(({ code, stdout }) => ({ code, stdout }));
  const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
  return { ...ended, calls };
}

const isReading = (call: string) => call.includes(' show ');

describe('infra/deploy.sh', () => {
  it('packs, then deploys the resources, the code and the event subscriptions, and says where the service is', async () => {
    const { code, stdout, calls } = await deploy(0);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'https://the-hostName\n' });
    expect(calls.filter((call) => !isReading(call))).toEqual([
      expect.stringMatching(/^npm .*run --silent package$/),
      expect.stringContaining('az group create --name group --location westeurope'),
      expect.stringContaining(
        `az deployment group create --name keyward --resource-group group --parameters ${root}infra/main.bicepparam`,
      ),
      expect.stringContaining(`config-zip --resource-group group --name the-appName --src ${root}build/keyward.zip`),
      expect.stringContaining(
        'appName=the-appName storageName=the-storageName operatorVaultName=the-operatorVaultName watchSubscription=true',
      ),
    ]);
  });

  it('waits for new roles to reach the storage account, and subscribes nothing before the code is there', async () => {
    const { code, calls } = await deploy(3);
    expect(code).toBe(0);
    expect(calls.filter((call) => call.includes('config-zip'))).toHaveLength(4);
    expect(calls.findIndex((call) => call.includes('keyward-events'))).toBeGreaterThan(
      calls.findLastIndex((call) => call.includes('config-zip')),
    );
  });

  it('gives up in the end', async () => {
    const { code, calls } = await deploy(100);
    expect(code).toBe(1);
    expect(calls.filter((call) => call.includes('keyward-events'))).toEqual([]);
  });

  it('reads outputs that infra/main.bicep has, and gives infra/events.bicep what it asks for', () => {
    const script = readFileSync(`${root}infra/deploy.sh`, 'utf8');
    const declared = (file: string, keyword: string) =>
      parseBicep(readFileSync(root + file, 'utf8')).filter((one) => one.keyword === keyword);
    const read = [...script.matchAll(/output (\w+)\)/g)].map(([, name]) => name);
    expect(declared('infra/main.bicep', 'output').map(({ name }) => name)).toEqual(expect.arrayContaining(read));
    const given = [...script.matchAll(/"(\w+)=/g)].map(([, name]) => name);
    const asked = declared('infra/events.bicep', 'param');
    expect(asked.map(({ name }) => name)).toEqual(expect.arrayContaining(given));
    expect(given).toEqual(
      expect.arrayContaining(asked.filter(({ value }) => value === undefined).map(({ name }) => name)),
    );
  });
});
