/** Every `az` command that a person or a script runs exists in the Azure CLI, with each of its options. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { causes, remedyOf } from '../../src/core/base/causes.ts';
import { errorCodes, remedyOfError } from '../../src/core/base/errorCatalogue.ts';
import { codeIn } from '../infra/commandBlocks.ts';
import { azCommandsIn, isName, refusalOf } from './azCommands.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const files = (pattern: string): string[] =>
  globSync(pattern, { cwd: root, exclude: (name) => name.includes('node_modules') }).toSorted();

/** A sentence can end or continue after a command. */
const inSentence = (command: string): string => command.replace(/[.,]( .*)?$/s, '');

const refusalsOf = (texts: readonly string[]): string[] =>
  texts
    .flatMap(azCommandsIn)
    .map(inSentence)
    .filter((command) => !isName(command))
    .flatMap((command) => refusalOf(command) ?? []);

describe('the check of az commands', () => {
  it.each([
    ['az keyvault key rotate --vault-name v --name k', undefined],
    ['az keyvault update --name v --enable-soft-delete true', /unrecognized arguments: --enable-soft-delete/],
    ['az keyvault key turn --name k', /'keyvault key turn' is no command/],
    ['az group create --name g', /required: --location/],
    ['az role assignment create --role "Key Vault Reader" --scope "$(az group show -n g --query id)/x"', undefined],
    ['az rest --method POST --url https://graph --body \'{"a": "--wrong"}\'', undefined],
  ])('the check of az commands judges: %s', (command, refusal) => {
    if (refusal === undefined) expect(refusalOf(command)).toBeUndefined();
    else expect(refusalOf(command)).toMatch(refusal);
  });

  it('the check finds a command inside another and over several lines, and ends it where the shell does', () => {
    const shell = 'X=$(az group show --name g \\\n  --query "a(b)" -o tsv) && az login | cat\nlazaz none\n';
    expect(azCommandsIn(shell)).toEqual(['az group show --name g --query "a(b)" -o tsv', 'az login']);
  });
});

describe('every az command', () => {
  const documents = [...files('*.md'), ...files('{docs,infra}/**/*.md')];

  it.each(documents)('every az command of %s exists in the Azure CLI, with each of its options', (path) => {
    const withoutComments = codeIn(read(path)).map((code) => code.replaceAll(/(^|\s)#.*$/gm, '$1'));
    expect(refusalsOf(withoutComments)).toEqual([]);
  });

  it.each(files('{infra,.github}/**/*.{sh,yml}'))(
    'every az command of %s exists in the Azure CLI, with each of its options',
    (path) => {
      expect(refusalsOf([read(path).replaceAll(/^\s*#.*$/gm, '')])).toEqual([]);
    },
  );

  it('every az command of the remedies exists in the Azure CLI, with each of its options', () => {
    const subject = { vaultName: 'contoso-keys', keyName: 'media' };
    const remedies = [
      ...causes.map((cause) => remedyOf(cause, subject)),
      ...errorCodes.flatMap((code) => remedyOfError(code) ?? []),
    ];
    expect(remedies.flatMap(azCommandsIn).length).toBeGreaterThan(10);
    expect(refusalsOf(remedies)).toEqual([]);
  });

  it('every az command in the source and the templates exists in the Azure CLI, with each of its options', () => {
    // test/base/remedies.test.ts and test/customerPage/connectionPlan.test.ts check these with their values.
    const withValues = [
      'src/core/base/remedies.ts',
      'src/core/base/keyCommands.ts',
      'src/core/customerPage/connectionPlan.ts',
      'src/core/customerPage/planBicep.ts',
      'src/core/customerPage/planTerraform.ts',
    ];
    const text = files('{src,packages,infra}/**/*.{ts,bicep,bicepparam}')
      .filter((path) => !withValues.includes(path))
      .flatMap((path) => read(path).split('\n'))
      .filter((line) => /(?<![\w./-])az [a-z]/.test(line) && !/^\s*(\/\/|\*|\/\*)/.test(line))
      .map((line) => line.replaceAll(/\$\{[^}]*\}|\{\w+\}/g, 'VALUE').replaceAll(/\\'/g, '"'))
      .map((line) => /(['`])([^'`]*\baz [a-z][^'`]*)\1/.exec(line)?.[2] ?? '');
    expect(text.flatMap(azCommandsIn).length).toBeGreaterThan(3);
    expect(refusalsOf(text)).toEqual([]);
  });
});
