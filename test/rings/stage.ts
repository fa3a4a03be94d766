/** In-memory ports of a ring, with real RSA in the vault. */
import { createPublicKey, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import type { Sealing } from '../../src/core/audit/ports.ts';
import { bytesOf } from '../../src/core/base/bytes.ts';
import type { Cause } from '../../src/core/base/causes.ts';
import type { LogFields } from '../../src/core/base/log.ts';
import type { EpochMs } from '../../src/core/base/time.ts';
import type { RingName } from '../../src/core/base/vocabulary.ts';
import type { Answer, KeyRef, KeyVault } from '../../src/core/customerKey/ports.ts';
import type { OperatorKeys } from '../../src/core/rings/kek.ts';
import type { OpenRingsDeps } from '../../src/core/rings/makeKek.ts';
import type { RingStateStore } from '../../src/core/rings/ports.ts';
import type { RingRoot, RingRow, RingState } from '../../src/core/rings/storedRing.ts';
import { aBinding, start } from '../builders.ts';
import { decrypted, encrypted } from '../rsaFixtures.ts';

const observed = { durationMs: 1 };
export const failing = (cause: Cause): Answer<never> => ({ ok: false, cause, observed });

/** A vault with one key. The last added version is the latest. */
export function vaultWith(versions: Map<string, KeyObject>): KeyVault {
  return {
    async describe() {
      const latest = [...versions].at(-1);
      if (latest === undefined) return failing('KeyNotFound');
      const [version, key] = latest;
      const { n = '', e = '' } = createPublicKey(key).export({ format: 'jwk' });
      const publicKey = { n: bytesOf(Buffer.from(n, 'base64url')), e: bytesOf(Buffer.from(e, 'base64url')) };
      const rules = { keyType: 'RSA', bits: 2048, enabled: true, operations: [], recoveryLevel: 'Recoverable' };
      return { ok: true, value: { version, publicKey, ...rules }, observed };
    },
    async unwrap(_reach, version, wrapped) {
      const key = versions.get(version);
      if (key === undefined) return failing('KeyNotFound');
      try {
        return { ok: true, value: decrypted(key, wrapped), observed };
      } catch {
        // 400 "Unable to decrypt specified value with this key".
        return failing('KeyMaterialMismatch');
      }
    },
    wrap({ n, e }, plain) {
      const [modulus, exponent] = [n, e].map((bytes) => Buffer.from(bytes).toString('base64url'));
      const jwk = { kty: 'RSA', n: modulus ?? '', e: exponent ?? '' };
      return encrypted(createPublicKey({ key: jwk, format: 'jwk' }), plain);
    },
  };
}

const inVault = (name: string, keyName: string): KeyRef => ({
  ...aBinding,
  vaultHost: `${name}.vault.azure.net`,
  vaultName: name,
  keyName,
});

/** Both of the operator's keys are the same here, because this vault has one key. */
export const operatorKeys: OperatorKeys = { system: inVault('operator', 'key'), atRest: inVault('operator', 'key') };
export const recoveryKey = inVault('recovery', 'key');

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

export interface RingStage extends OpenRingsDeps {
  readonly ringStore: OpenRingsDeps['ringStore'] & RingStateStore;
  readonly stored: RingRow[];
  readonly markers: RingRow[];
  readonly states: Map<RingName, RingState>;
  readonly roots: Map<RingName, RingRoot>;
  /** The activated generations in the head of the service's chain. */
  readonly activated: { sealing: Sealing };
  readonly inserts: RingRow[];
  readonly lines: LogLine[];
  readonly time: { now: EpochMs };
  /** The number of reads of the table. */
  reads: number;
}

interface StageOptions {
  readonly keyVault: KeyVault;
  readonly hasAccounts?: boolean;
  readonly stored?: RingRow[];
  readonly keys?: OperatorKeys;
}

/**
 * Insert-only rows as the port promises them: one for each generation and key, and one first row of each generation,
 * whose row key stays taken.
 */
export function ringStage({ keyVault, hasAccounts, stored = [], keys = operatorKeys }: StageOptions): RingStage {
  const [inserts, markers, lines] = [[] as RingRow[], [] as RingRow[], [] as LogLine[]];
  const states = new Map<RingName, RingState>();
  const roots = new Map<RingName, RingRoot>();
  const activated = { sealing: {} };
  const time = { now: start };
  const place = ({ ring, generation, key, isFirst }: RingRow) =>
    JSON.stringify([ring, generation, isFirst ? 'first' : key]);
  const same = (a: RingRow) => (b: RingRow) => place(a) === place(b);
  const ringStore: RingStage['ringStore'] = {
    async load() {
      const { rings } = await ringStore.read();
      const { system, 'at-rest': atRest, audit } = rings;
      return {
        wrappings: { system: system.rows, 'at-rest': atRest.rows, audit: audit.rows },
        roots: Object.fromEntries(roots),
        isUsed: (ring) => rings[ring].rows.length + rings[ring].markers.length > 0 || states.has(ring),
        isAuthentic: () => true,
        verified: () => ({ rings }),
      };
    },
    readSealing: async () => ({ ...activated, isLast: true }),
    async saveRoot(ring, root) {
      roots.set(ring, root);
    },
    async read() {
      stage.reads += 1;
      const of = (ring: RingName) => {
        const state = states.get(ring);
        return {
          rows: stored.filter((row) => row.ring === ring),
          markers: markers.filter((row) => row.ring === ring),
          ...(state === undefined ? {} : { state: { value: state, etag: JSON.stringify(state) } }),
        };
      };
      return { rings: { system: of('system'), 'at-rest': of('at-rest'), audit: of('audit') } };
    },
    async insert(row) {
      inserts.push(row);
      if ([...stored, ...markers].some(same(row))) return false;
      stored.push(row);
      return true;
    },
    async remove(row) {
      stored.splice(stored.findIndex(same(row)), 1);
      if (row.isFirst) markers.push(row);
    },
    async saveState(ring, state) {
      states.set(ring, state);
    },
    saveCheck: async () => undefined,
  };
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields });
  const stage: RingStage = {
    stored,
    markers,
    states,
    roots,
    activated,
    inserts,
    lines,
    time,
    ringStore,
    keyVault,
    operatorKeys: keys,
    reads: 0,
    accounts: { names: async () => (hasAccounts === true ? ['a'] : []) },
    serviceAudit: { audit: async () => ({ rows: [] }) },
    clock: { now: () => time.now, monotonic: () => time.now - start },
    random: { bytes: (length: number) => bytesOf(randomBytes(length)), uuid: randomUUID },
    log: { info: at('info'), warn: at('warn'), error: at('error') },
  };
  return stage;
}
