/**
 * The two state machines of an account, as the console draws them. Source: docs/states-and-bounds.md. A test compares the
 * changes of a key's status with the function that decides them (src/core/watch/judge.ts).
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
    { name: 'Accessible', meaning: 'The last check was good.', x: 80, y: 40 },
    { name: 'Suspect', meaning: 'A denial is being confirmed. The account still works.', x: 300, y: 40 },
    { name: 'Inaccessible', meaning: 'The denial is confirmed. The account is blocked.', x: 520, y: 40 },
    { name: 'Unreachable', meaning: 'The vault does not answer. The account still works.', x: 80, y: 150 },
  ],
  changes: [
    { from: 'Accessible', to: 'Suspect', on: denied },
    { from: 'Accessible', to: 'Unreachable', on: 'no answer' },
    { from: 'Suspect', to: 'Inaccessible', on: 'confirmed' },
    { from: 'Suspect', to: 'Accessible', on: good },
    { from: 'Inaccessible', to: 'Accessible', on: good },
    { from: 'Unreachable', to: 'Accessible', on: good },
    { from: 'Unreachable', to: 'Suspect', on: denied },
  ],
};

export const accountMachine: Machine = {
  title: 'State of the account',
  states: [
    { name: 'Enabled', meaning: 'Every call is served.', x: 120, y: 40 },
    { name: 'CustomerKeyInaccessible', meaning: 'Every call that needs the key is refused.', x: 470, y: 40 },
  ],
  changes: [
    { from: 'Enabled', to: 'CustomerKeyInaccessible', on: 'the key becomes Inaccessible' },
    { from: 'CustomerKeyInaccessible', to: 'Enabled', on: 'the key becomes Accessible' },
  ],
};
