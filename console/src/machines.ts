/**
 * The two state machines of an account, as the console draws them. Source: docs/states-and-bounds.md. A test compares
 * the changes of a key's status with the function that decides them (src/core/watch/judge.ts).
 */
export interface State {
  readonly name: string;
  readonly meaning: string;
  /** The place of the middle of its box, in the units of the drawing. */
  readonly x: number;
  readonly y: number;
}

export interface Change {
  readonly from: string;
  readonly to: string;
  readonly on: string;
  /** Its line, as a path of SVG, and where its words begin, end or have their middle. */
  readonly line: string;
  readonly words: { readonly x: number; readonly y: number; readonly anchor?: 'start' | 'end' };
}

export interface Machine {
  readonly title: string;
  readonly states: readonly State[];
  readonly changes: readonly Change[];
}

const denied = 'a check is denied';
const good = 'a check is good';

export const keyStatusMachine: Machine = {
  title: 'Status of the key',
  states: [
    { name: 'Accessible', meaning: 'The last check was good.', x: 110, y: 90 },
    { name: 'Suspect', meaning: 'A denial is being confirmed. The account still works.', x: 370, y: 90 },
    { name: 'Inaccessible', meaning: 'The denial is confirmed. The account is blocked.', x: 630, y: 90 },
    { name: 'Unreachable', meaning: 'The vault does not answer. The account still works.', x: 110, y: 230 },
  ],
  changes: [
    { from: 'Accessible', to: 'Suspect', on: denied, line: 'M172 83H308', words: { x: 240, y: 76 } },
    { from: 'Suspect', to: 'Accessible', on: good, line: 'M308 97H172', words: { x: 240, y: 114 } },
    { from: 'Suspect', to: 'Inaccessible', on: 'confirmed', line: 'M432 90H568', words: { x: 500, y: 82 } },
    {
      from: 'Inaccessible',
      to: 'Accessible',
      on: good,
      line: 'M630 74C630 14 110 14 110 74',
      words: { x: 370, y: 22 },
    },
    {
      from: 'Accessible',
      to: 'Unreachable',
      on: 'no answer',
      line: 'M90 106V214',
      words: { x: 82, y: 164, anchor: 'end' },
    },
    {
      from: 'Unreachable',
      to: 'Accessible',
      on: good,
      line: 'M130 214V106',
      words: { x: 138, y: 164, anchor: 'start' },
    },
    {
      from: 'Unreachable',
      to: 'Suspect',
      on: denied,
      line: 'M172 230C300 230 370 200 370 106',
      words: { x: 335, y: 220, anchor: 'start' },
    },
  ],
};

export const accountMachine: Machine = {
  title: 'State of the account',
  states: [
    { name: 'Enabled', meaning: 'Every call is served.', x: 110, y: 50 },
    { name: 'CustomerKeyInaccessible', meaning: 'Every call that needs the key is refused.', x: 560, y: 50 },
    {
      name: 'PendingDeletion',
      meaning: 'Every call is refused. Until its purge, recover brings it back.',
      x: 110,
      y: 190,
    },
  ],
  changes: [
    {
      from: 'Enabled',
      to: 'CustomerKeyInaccessible',
      on: 'the key becomes Inaccessible',
      line: 'M172 43H452',
      words: { x: 312, y: 36 },
    },
    {
      from: 'CustomerKeyInaccessible',
      to: 'Enabled',
      on: 'the key becomes Accessible',
      line: 'M452 57H172',
      words: { x: 312, y: 74 },
    },
    {
      from: 'Enabled',
      to: 'PendingDeletion',
      on: 'deleted',
      line: 'M90 66V174',
      words: { x: 82, y: 124, anchor: 'end' },
    },
    {
      from: 'PendingDeletion',
      to: 'Enabled',
      on: 'recovered',
      line: 'M130 174V66',
      words: { x: 138, y: 124, anchor: 'start' },
    },
    {
      from: 'CustomerKeyInaccessible',
      to: 'PendingDeletion',
      on: 'deleted',
      line: 'M560 66C560 150 400 190 172 190',
      words: { x: 475, y: 172, anchor: 'start' },
    },
  ],
};
