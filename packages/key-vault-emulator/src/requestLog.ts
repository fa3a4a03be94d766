/** The requests to the data plane: counts per vault, operation and status, and the latest requests one by one. */
export type LoggedRequest = {
  /** Real time, ISO 8601. */
  at: string;
  vault: string;
  operation: string;
  key?: string | undefined;
  version?: string | undefined;
  /** The HTTP status; or the network error's code, `reset` or `hang`. */
  status: number | string;
  principal?: string | undefined;
};

export type RequestFilter = { vault?: string; operation?: string; key?: string };

const MAX_REQUESTS = 10_000;

export type RequestLog = {
  add(request: LoggedRequest): void;
  read(filter: RequestFilter): { total: number; counts: Counts; requests: LoggedRequest[] };
  clear(): void;
};

/** By vault, then operation, then status. */
type Counts = Record<string, Record<string, Record<string, number>>>;

export function createRequestLog(): RequestLog {
  let total = 0;
  let counts: Counts = {};
  let requests: LoggedRequest[] = [];
  return {
    add(request) {
      total += 1;
      counts[request.vault] ??= {};
      const ofVault = counts[request.vault] ?? {};
      ofVault[request.operation] ??= {};
      const ofOperation = ofVault[request.operation] ?? {};
      ofOperation[request.status] = (ofOperation[request.status] ?? 0) + 1;
      requests.push(request);
      // Cut in large steps, because dropping one entry would copy the whole log at every request.
      if (requests.length > 2 * MAX_REQUESTS) requests = requests.slice(-MAX_REQUESTS);
    },
    read: (filter) => ({
      total,
      counts,
      requests: requests.slice(-MAX_REQUESTS).filter((request) => fits(request, filter)),
    }),
    clear() {
      total = 0;
      counts = {};
      requests = [];
    },
  };
}

function fits(request: LoggedRequest, filter: RequestFilter): boolean {
  return (['vault', 'operation', 'key'] as const).every((field) => {
    const wanted = filter[field];
    return wanted === undefined || request[field]?.toLowerCase() === wanted.toLowerCase();
  });
}
