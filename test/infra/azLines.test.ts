import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { azCommandsIn, azReference, faultOf } from './az/azLines.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const filesIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => statSync(join(root, name)).isFile());

const texts = ['README.md', 'SECURITY.md', ...filesIn('docs'), ...filesIn('infra')].filter((name) =>
  /\.(md|sh)$/.test(name),
);

describe(`the az commands of the documents and of infra, beside those of Azure CLI ${azReference.azureCli},`, () => {
  it.each(texts)('%s names no command and no option that az does not have', (name) => {
    const faults = azCommandsIn(readFileSync(join(root, name), 'utf8')).flatMap((command) => {
      const fault = faultOf(command);
      return fault === undefined ? [] : [`${relative('.', name)}: az ${command.join(' ')}: ${fault}`];
    });
    expect(faults, 'A command that is new here: run test/infra/az/makeAzCommands.py').toEqual([]);
  });
});

it('the documents hold more than a hundred az commands', () => {
  const all = texts.flatMap((name) => azCommandsIn(readFileSync(join(root, name), 'utf8')));
  expect(all.length).toBeGreaterThan(100);
});

describe('the check of az commands', () => {
  it.each([
    ['an option that az does not have', 'az keyvault update --name v --enable-soft-delete true'],
    ['a command that az does not have', 'az keyvault key enable --vault-name v --name k'],
    ['a value that the option does not take', 'az keyvault key create --vault-name v --name k --kty AES'],
    ['an option that is missing', 'az keyvault update --set properties.x=1'],
    ['a fault inside a substitution', 'az keyvault show --name "$(az keyvault list --nonsense)"'],
  ])('finds %s', (_, line) => {
    expect(azCommandsIn(line).map(faultOf).filter(Boolean)).not.toEqual([]);
  });

  it.each([
    'az keyvault key set-attributes --vault-name v --name k --enabled true',
    'ID="$(az keyvault show --name v --query "[?a==\'b\'].id" -o tsv)/keys/k"; echo done',
    'Type `az keyvault update --name <name of the vault> --enable-purge-protection true`, then wait.',
  ])('takes %s', (line) => {
    expect(azCommandsIn(line).map(faultOf).filter(Boolean)).toEqual([]);
  });
});
