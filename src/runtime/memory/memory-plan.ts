const MIB = 1024 * 1024;

/** The limit that the chart gives, and what is planned for where there is no limit, in bytes. */
const DEFAULT_MEMORY_LIMIT_BYTES = 128 * MIB;
/** Smallest limit that is planned for, in bytes: with less there is no room beside the program itself. */
const SMALLEST_LIMIT_BYTES = 64 * MIB;
/** Largest limit that is planned for, in bytes: more is of no use to a node. */
const LARGEST_LIMIT_BYTES = 512 * MIB;

/**
 * What the program needs before it holds anything for anybody, in bytes: its heap with the garbage between two
 * collections, what the engine has compiled, and the part of the mapped program that is in use.
 */
const RUNTIME_BYTES = 40 * MIB;

/** The least that manifests need whatever the limit, in bytes: one of the largest size, and some that are kept. */
const MANIFESTS_BYTES = 5 * MIB;

/** Parts of what is left beside these. Their sum is less than 1: the rest is for what nobody counts. */
const SHARES = {
  bodiesBytes: 0.31,
  manifestsBytes: 0.04,
  clientsBytes: 0.07,
  routerConnectionsBytes: 0.22,
  recordsBytes: 0.14,
  framesBytes: 0.04,
} as const;

/** How much memory each part of the daemon may hold at most, in bytes. The sum is below the limit. */
export interface MemoryPlan {
  /** The limit that the plan is made for: that of the process's control group, within bounds. */
  readonly limitBytes: number;
  /** The program itself. */
  readonly runtimeBytes: number;
  /** Bodies under way: chunks, and the kernel's buffers of the sockets that they come from and go to. */
  readonly bodiesBytes: number;
  /** Manifests that are read, checked, or kept for a moment. */
  readonly manifestsBytes: number;
  /** HTTP connections of clients, and the requests on them. */
  readonly clientsBytes: number;
  /** Connections of the router, with their streams. */
  readonly routerConnectionsBytes: number;
  /** Provider records of the DHT. */
  readonly recordsBytes: number;
  /** Messages of the DHT that are read, or wait to be sent. */
  readonly framesBytes: number;
}

/** How much of what the plan does not count, by parts, there is room for: all of it with the usual limit, less with a smaller limit. */
export function uncountedShare({ limitBytes }: Pick<MemoryPlan, 'limitBytes'>): number {
  return Math.min(1, limitBytes / DEFAULT_MEMORY_LIMIT_BYTES);
}

/** Divides a memory limit, in bytes; 128 MiB if there is none. */
export function planMemory(limitBytes: number = DEFAULT_MEMORY_LIMIT_BYTES): MemoryPlan {
  const bounded = Math.min(LARGEST_LIMIT_BYTES, Math.max(SMALLEST_LIMIT_BYTES, limitBytes));
  const share = (part: number) => Math.floor((bounded - RUNTIME_BYTES - MANIFESTS_BYTES) * part);
  return {
    limitBytes: bounded,
    runtimeBytes: RUNTIME_BYTES,
    bodiesBytes: share(SHARES.bodiesBytes),
    manifestsBytes: MANIFESTS_BYTES + share(SHARES.manifestsBytes),
    clientsBytes: share(SHARES.clientsBytes),
    routerConnectionsBytes: share(SHARES.routerConnectionsBytes),
    recordsBytes: share(SHARES.recordsBytes),
    framesBytes: share(SHARES.framesBytes),
  };
}
