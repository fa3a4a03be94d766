/** The public workflows: actions are pinned by commit, and permissions are minimal. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = `${root}.github/workflows/`;
const workflows = readdirSync(folder).map((name) => ({ name, text: readFileSync(folder + name, 'utf8') }));

describe.each(workflows)('$name', ({ name, text }) => {
  it(`${name} pins each action by commit, with its version beside it`, () => {
    const used = [...text.matchAll(/^\s*-?\s*uses:\s*(.+)$/gm)].map(([, action = '']) => action);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((action) => !/^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
  });

  it(`${name} permits nothing by default, and each job what it needs`, () => {
    expect(text).toMatch(/^permissions: \{\}$/m);
    const [, jobs = ''] = text.split(/^jobs:$/m);
    const names = [...jobs.matchAll(/^ {2}(\w+):$/gm)].map(([, name]) => name);
    expect(jobs.match(/^ {4}permissions:$/gm)).toHaveLength(names.length);
  });

  it(`${name} runs no text of a pull request, and leaves no token behind`, () => {
    expect(text).not.toMatch(/pull_request_target|github\.event\.(pull_request|issue|comment)|github\.head_ref/);
    const checkouts = text.match(/uses: actions\/checkout@/g) ?? [];
    expect(text.match(/persist-credentials: false/g)).toHaveLength(checkouts.length);
  });
});

describe('ci.yml', () => {
  const text = workflows.find(({ name }) => name === 'ci.yml')?.text ?? '';

  it('ci.yml runs every step of .ci/run', () => {
    const steps = [...readFileSync(`${root}.ci/run`, 'utf8').matchAll(/^step (.+)$/gm)].map(([, step]) => step);
    const run = [...text.matchAll(/^\s*- run: (.+)$/gm)].map(([, command]) => command);
    expect(run).toEqual(expect.arrayContaining(steps));
  });

  it('ci.yml installs the packages that the clients of test/external need, and runs these clients', () => {
    const head = readFileSync(`${root}test/external/main.ts`, 'utf8').split('*/')[0] ?? '';
    const sentence = /Needs Debian's packages ([^.]+)\./.exec(head.replaceAll(/\s+(?:\* )?/g, ' '))?.[1] ?? '';
    const needed = sentence.split(/,| and /).map((name) => name.trim());
    expect(needed).toContain('azure-cli');
    const [, job = ''] = text.split('  external:\n');
    const installed = /apt-get install -y (.+)/.exec(job)?.[1]?.split(' ') ?? [];
    expect(installed).toEqual(expect.arrayContaining(needed));
    expect(job.split(/^ {2}\w+:$/m)[0]).toContain('- run: npm run test:external');
  });
});
