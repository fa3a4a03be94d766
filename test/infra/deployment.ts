/** The deployments of test/infra/*.snapshot.json, as `npm run infra` compiled and evaluated them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** A value that only Azure knows is still an expression: a string that begins with `[`. */
export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly apiVersion: string;
  readonly location?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly identity?: { readonly type: string };
  // biome-ignore lint/suspicious/noExplicitAny: a form for each type of resource, which the compiler has checked
  readonly properties?: any;
}

export interface Deployment {
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
  /** The resources of a type, without its version. */
  of(type: string): readonly Resource[];
  only(type: string): Resource;
}

export function deployment(name: string): Deployment {
  const { predictedResources, outputs } = JSON.parse(readFileSync(`${folder}${name}.snapshot.json`, 'utf8'));
  const resources: readonly Resource[] = predictedResources;
  const of = (type: string) => resources.filter((one) => one.type === type);
  return {
    resources,
    outputs,
    of,
    only: (type) => {
      const [found, ...more] = of(type);
      if (found === undefined || more.length > 0)
        throw new Error(`${name} has ${more.length + 1} of ${type}, not one.`);
      return found;
    },
  };
}

/** `infra/main.bicepparam`, as it is shipped. */
export const asShipped = deployment('main');
/** With every parameter set, those of a network of the operator's own apart. */
export const everything = deployment('everything');
/** In a network of the operator's own, and with function keys. */
export const ownNetwork = deployment('ownNetwork');

export const deployments: readonly (readonly [name: string, Deployment])[] = [
  ['infra/main.bicepparam', asShipped],
  ['every parameter of infra/main.bicep', everything],
  ['infra/main.bicep in an own network', ownNetwork],
  ['infra/events.bicep', deployment('events')],
  ['infra/customer/main.bicep', deployment('customer')],
  ['infra/customer/events.bicep', deployment('customerEvents')],
];

/** The app settings of a deployment, with the values of the public cloud where the template asks Azure for them. */
export function appSettings({ only }: Deployment): Readonly<Record<string, string>> {
  const { properties } = only('Microsoft.Web/sites/config');
  return Object.fromEntries(
    Object.entries<string>(properties).map(([name, value]) => [
      name,
      inPublicCloud(value.replace(/^\[(\w.*)\]$/s, '$1')),
    ]),
  );
}

function inPublicCloud(expression: string): string {
  const known = expression
    .replaceAll('environment().suffixes.storage', "'core.windows.net'")
    .replaceAll('environment().suffixes.keyvaultDns', "'.vault.azure.net'")
    .replaceAll('tenant().tenantId', "'11111111-1111-4111-8111-111111111111'")
    .replaceAll(
      /reference\([^()]*(?:\([^()]*\)[^()]*)*\)\.(?:principalId|clientId)/g,
      "'22222222-2222-4222-8222-222222222222'",
    )
    .replaceAll(/reference\([^()]*\)\.endpoint/g, "'https://topic.westeurope-1.eventgrid.azure.net/api/events'")
    .replaceAll(/reference\([^()]*\)\.ConnectionString/g, "'InstrumentationKey=x'");
  const format = /format\('([^']*)'((?:, '[^']*')*)\)/;
  const join = /join\(createArray\(('[^']*'(?:, '[^']*')*)\), '([^']*)'\)/;
  const evaluated = known
    .replace(format, (_, text: string, values: string) => `'${formatted(text, values)}'`)
    .replace(join, (_, values: string, between: string) => `'${valuesIn(values).join(between)}'`);
  return evaluated === known ? known.replace(/^'(.*)'$/s, '$1') : inPublicCloud(evaluated);
}

const valuesIn = (values: string): (string | undefined)[] =>
  [...values.matchAll(/'([^']*)'/g)].map(([, value]) => value);

const formatted = (text: string, values: string): string => {
  const list = valuesIn(values);
  return text.replaceAll(/\{(\d)\}/g, (_, index: string) => list[Number(index)] ?? '');
};
