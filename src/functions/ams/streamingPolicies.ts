/**
 * The predefined streaming policies of Azure Media Services: the protocols that each allows, and the keys that it
 * generates for a locator. Keyward streams nothing and stores no other policy.
 */
import { Refusal } from '../../core/base/errors.ts';
import { fold } from '../../core/base/names.ts';
import type { Call, RouteHandler } from '../pipeline/call.ts';
import { accountId, accountType, metadataVersions, placeIn, refuseOptions } from './arm.ts';
import { accepted, topIn } from './resources.ts';

interface Encryption {
  readonly type?: string;
  readonly label?: string;
}

interface Policy {
  readonly name: string;
  /** The property of each way to stream, and its protocols. */
  readonly ways: Readonly<Record<string, readonly Protocol[]>>;
  readonly keys: readonly Encryption[];
}

const protocols = ['download', 'dash', 'hls', 'smoothStreaming'] as const;
type Protocol = (typeof protocols)[number];

const streams = ['dash', 'hls', 'smoothStreaming'] as const;
const cenc = { type: 'CommonEncryptionCenc', label: 'cencDefaultKey' } as const;
const cbcs = { type: 'CommonEncryptionCbcs', label: 'cbcsDefaultKey' } as const;
const envelope = { type: 'EnvelopeEncryption', label: 'clearKeyDefault' } as const;
const viaCenc = { commonEncryptionCenc: ['dash', 'smoothStreaming'] } as const;

const predefined: readonly Policy[] = [
  { name: 'Predefined_DownloadOnly', ways: { noEncryption: ['download'] }, keys: [] },
  { name: 'Predefined_ClearStreamingOnly', ways: { noEncryption: streams }, keys: [] },
  { name: 'Predefined_DownloadAndClearStreaming', ways: { noEncryption: protocols }, keys: [] },
  { name: 'Predefined_ClearKey', ways: { envelopeEncryption: streams }, keys: [envelope] },
  { name: 'Predefined_MultiDrmCencStreaming', ways: viaCenc, keys: [cenc] },
  { name: 'Predefined_MultiDrmStreaming', ways: { ...viaCenc, commonEncryptionCbcs: ['hls'] }, keys: [cenc, cbcs] },
];

/** Keyward does not know what a custom policy needs: one key, without a type. */
const ofUnknownPolicy: readonly Encryption[] = [{}];

const policyNamed = (name: string) => predefined.find((policy) => fold(policy.name) === fold(name));

export const keysOfPolicy = (name: string): readonly Encryption[] => policyNamed(name)?.keys ?? ofUnknownPolicy;

function render({ name, ways, keys }: Policy, { request }: Call) {
  const way = ([property, allowed]: [string, readonly Protocol[]]) => {
    const enabledProtocols = Object.fromEntries(protocols.map((one) => [one, allowed.includes(one)]));
    const label = keys.find(({ type }) => type !== undefined && fold(type) === fold(property))?.label;
    const contentKeys = label === undefined ? {} : { contentKeys: { defaultKey: { label } } };
    return [property, { enabledProtocols, ...contentKeys }];
  };
  return {
    id: `${accountId(placeIn(request), request.params.accountName ?? '')}/streamingPolicies/${name}`,
    name,
    type: `${accountType}/streamingPolicies`,
    properties: Object.fromEntries(Object.entries(ways).map(way)),
  };
}

const get: RouteHandler = async (call) => {
  await accepted({ versions: metadataVersions }, call);
  const policy = policyNamed(call.request.params.streamingPolicyName ?? '');
  if (policy !== undefined) return { status: 200, jsonBody: render(policy, call) };
  const names = predefined.map(({ name }) => name).join(', ');
  throw new Refusal('NotFound', `There are predefined streaming policies only: ${names}.`, {
    target: 'streamingPolicyName',
  });
};

const list: RouteHandler = async (call) => {
  await accepted({ versions: metadataVersions }, call);
  refuseOptions(call.request, ['$top']);
  const value = predefined.slice(0, topIn(call.request)).map((policy) => render(policy, call));
  return { status: 200, jsonBody: { value } };
};

export const streamingPolicies = { get, list };
