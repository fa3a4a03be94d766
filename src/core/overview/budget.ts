/** The table calls that a page of the overview may still make: a page ends early rather than cost more. */
const callsPerPage = 5;

export interface CallBudget {
  /** How many are left. */
  readonly left: number;
  /** @throws TypeError when none is left: the caller checks first. */
  spend<T>(call: Promise<T>): Promise<T>;
}

export function callBudget(calls = callsPerPage): CallBudget {
  let left = calls;
  return {
    get left() {
      return left;
    },
    spend(call) {
      if (left === 0) throw new TypeError('A page of the overview has no table call left.');
      left -= 1;
      return call;
    },
  };
}
