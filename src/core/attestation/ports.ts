/**
 * What the attestation capability needs from outside: the places of chains, and rows for the results of a verification.
 */
import type { ChainHead } from '../audit/auditEntry.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { Flaw } from '../base/vocabulary.ts';

/** The tables that hold chains: one partition for each account name, and one for each binding. */
export type ChainTable = 'accounts' | 'bindings';

export interface ChainDirectory {
  /** The first partition after this one, in the order of the table, with any rows. Undefined: there is none. */
  partitionAfter(table: ChainTable, after: string | undefined): Promise<string | undefined>;
}

export interface BrokenChain {
  readonly chain: string;
  /** The name of the account, for the chain of one that still has rows. */
  readonly account?: string;
  readonly sequence: number;
  readonly flaw: Flaw;
  /** `<kind>/<name>` where the flaw is about a secret. */
  readonly secret?: string;
}

export interface VerificationResult {
  readonly startedAt: EpochMs;
  readonly finishedAt: EpochMs;
  readonly chains: number;
  readonly brokenCount: number;
  /** The first of them. */
  readonly broken: readonly BrokenChain[];
}

/** The progress of a verification of all chains. */
export interface VerificationRun extends Omit<VerificationResult, 'finishedAt'> {
  readonly table: ChainTable | 'service';
  /** The last complete partition of the table. Absent at the start. */
  readonly after?: string;
  /** In the next partition: the chain that took longer than one message, and its last verified link. */
  readonly partial?: { readonly chain: string; readonly verified: ChainHead };
  /** Checkpoints that the run has signed. */
  readonly pages: number;
  /** SHA-256 of the last one, base64url. */
  readonly lastPage: string;
}

export interface VerificationState {
  /** Absent: none is in progress. */
  readonly run?: VerificationRun;
  readonly last?: VerificationResult;
}

export interface CheckpointRow {
  /** When the run of the checkpoint started. */
  readonly run: EpochMs;
  readonly page: number;
  /** A compact JWS. */
  readonly checkpoint: string;
}

/** The head of a chain at its last verification. */
export interface VerifiedHead extends ChainHead {
  readonly at: EpochMs;
}

/** The progress and the result of verifications of all chains. */
export interface VerificationStore {
  /** Without a value when the row is damaged. */
  read(): Promise<Stored<VerificationState | undefined> | undefined>;
  /** Returns the new ETag. @throws LostRace */
  save(state: VerificationState, etag: string | undefined): Promise<string>;
}

/** The heads of chains at their last verifications. */
export interface VerifiedHeads {
  verifiedHead(chain: string): Promise<VerifiedHead | undefined>;
  saveHead(chain: string, head: VerifiedHead): Promise<void>;
  /** Chains whose head was last verified before this moment; at most `limit`. */
  notVerifiedSince(at: EpochMs, limit: number): Promise<readonly string[]>;
}

/** Signed pages of verified heads. */
export interface CheckpointStore {
  saveCheckpoint(row: CheckpointRow): Promise<void>;
  /** In order, the oldest first. `after`: the `next` of the previous page. */
  checkpoints(
    limit: number,
    after?: string,
  ): Promise<{ readonly rows: readonly CheckpointRow[]; readonly next?: string }>;
  /** Removes checkpoints of runs that started before this moment; at most a page of them. */
  removeCheckpoints(before: EpochMs): Promise<void>;
}
