/** The notes of a release, and azure.yaml beside the files that it names. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { releaseNotes } from '../../infra/release/notes.ts';
import { asShipped } from './deployment.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

describe('the notes of a release', () => {
  const release = { repository: 'contoso/keyward', tag: 'v1.2.0', sha256: 'ab12' };
  const changelog = '# Changelog\n\n## Unreleased\n\n- later\n\n## 1.2.0\n\n- this\n\n## 1.1.0\n\n- earlier\n';

  it('the notes of a release have buttons for the compiled templates of the tag, the hash, and the changes of its version', () => {
    const notes = releaseNotes({ ...release, changelog });
    const linked = [...notes.matchAll(/Template\/uri\/([^)\s]+)/g)].map(([, uri = '']) => decodeURIComponent(uri));
    const ofTag = 'https://raw.githubusercontent.com/contoso/keyward/v1.2.0/';
    expect(linked).toEqual([`${ofTag}infra/main.json`, `${ofTag}infra/events.json`]);
    for (const uri of linked) expect(existsSync(root + uri.slice(ofTag.length))).toBe(true);
    expect(notes).toContain('`ab12`');
    expect(notes).toContain('- this');
    expect(notes).not.toMatch(/- later|- earlier/);
  });

  it('the notes of a release have what is unreleased while the changelog has no section of the version', () => {
    expect(releaseNotes({ ...release, tag: 'v2.0.0', changelog })).toContain('- later');
  });
});

test('the release workflow publishes the package with its SHA-256 and its SBOM, and attests where both were made', () => {
  const workflow = read('.github/workflows/release.yml');
  const [, sbom = ''] = /npm sbom --omit dev --sbom-format spdx > (\S+)/.exec(workflow) ?? [];
  const [, published = ''] = /gh release create [^\n]*\n((?: +build\/\S+.*\n)+)/.exec(workflow) ?? [];
  expect(published.trim().split(/\s+/)).toEqual(
    expect.arrayContaining(['build/keyward.zip', 'build/keyward.zip.sha256', sbom]),
  );
  expect(workflow).toMatch(/attest-sbom@[0-9a-f]{40}[^\n]*\n +with:\n +subject-path: build\/keyward\.zip\n/);
  expect(workflow).toMatch(/attest-build-provenance@[0-9a-f]{40}/);
});

describe('the deploy workflow', () => {
  const workflow = read('.github/workflows/deploy.yml');

  it('the deploy workflow reads only the variables that docs/deploy.md lists, and the environment of infra/deploy.sh', () => {
    const [, section = ''] = /^## With a workflow$([\s\S]*?)^## /m.exec(read('docs/deploy.md')) ?? [];
    const listed = [...section.matchAll(/`((?:AZURE|KEYWARD)_\w+)`/g)].map(([, name]) => name);
    const used = [...workflow.matchAll(/vars\.(\w+)/g)].map(([, name]) => name);
    expect(new Set(used)).toEqual(new Set(listed));
    const script = ['infra/deploy.sh', 'infra/az.sh', 'infra/main.bicepparam'].map(read).join('');
    const given = [...workflow.matchAll(/^ {10}((?:KEYWARD|WATCH)_\w+):/gm)].map(([, name = '']) => name);
    expect(given.length).toBeGreaterThan(3);
    expect(given.filter((name) => !script.includes(name))).toEqual([]);
  });

  it('the deploy workflow checks the provenance and the hash of the package before it logs in, and stores no secret', () => {
    const order = ['gh attestation verify', 'sha256sum --check', 'azure/login@', 'infra/deploy.sh'];
    expect(order.map((step) => workflow.indexOf(step))).toEqual(
      order.map((step) => workflow.indexOf(step)).toSorted((a, b) => a - b),
    );
    expect(workflow).not.toMatch(/secrets\./);
    expect(workflow).toMatch(/^ {6}id-token: write$/m);
    expect(workflow).toMatch(/^ {6}attestations: read$/m);
  });
});

describe('azure.yaml', () => {
  const text = read('azure.yaml');
  const setting = (key: string): string => new RegExp(`^ +${key}: (.+)$`, 'm').exec(text)?.[1] ?? '';

  it('azure.yaml names a template, hooks and a package that exist', () => {
    expect(existsSync(`${root}${setting('path')}/${setting('module')}.bicep`)).toBe(true);
    const hooks = [...text.matchAll(/run: infra\/azd\/hooks\.sh (\w+)/g)].map(([, step]) => step);
    const steps = [...read('infra/azd/hooks.sh').matchAll(/^ {2}(\w+)\)$/gm)].map(([, step]) => step);
    expect(hooks).toEqual(steps);
    expect(read('package.ts')).toContain(`'${setting('dist')}'`);
  });

  it('azure.yaml names its service as the tag of the function app does', () => {
    const [, service] = /^services:\n {2}(\w+):/m.exec(text) ?? [];
    expect(asShipped.only('Microsoft.Web/sites').tags?.['azd-service-name']).toBe(service);
  });

  it('azure.yaml gives its hooks every output that they read', () => {
    const outputs = [...read('infra/azd/main.bicep').matchAll(/^output (\w+) /gm)].map(([, name = '']) => name);
    const used = [...read('infra/azd/hooks.sh').matchAll(/\$\{?((?:AZURE|KEYWARD)_\w+)/g)].map(([, name = '']) => name);
    // Set by azd itself, or by the person.
    const others = ['AZURE_ENV_NAME', 'AZURE_SUBSCRIPTION_ID', 'KEYWARD_APPLICATION_NAME', 'KEYWARD_ALERT_EMAILS'];
    expect(used.filter((name) => !outputs.includes(name) && !others.includes(name))).toEqual([]);
    expect(used).toEqual(expect.arrayContaining(outputs));
  });
});
