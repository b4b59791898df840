/** Addresses that a source names, and addresses that it named until a while ago. */
export interface MemberSet {
  /** True for an address that is named, or that has its grace. */
  has(ip: string, nowMs: number): boolean;
  /** How many there are. */
  count(nowMs: number): number;
  /** Takes the source's word for one IP family. */
  name(isOfFamily: (ip: string) => boolean, ips: readonly string[], nowMs: number): void;
  /** Takes one address for named for a while, until the source's word for its family is new enough to have it. */
  vouch(ip: string, nowMs: number): void;
  /** A connection with the address is open; call the result when it closes. */
  opened(ip: string): () => void;
  /** What was gained and lost since the last call. An address whose grace ended with its time is in `expired` too. */
  changes(nowMs: number): {
    readonly joined: readonly string[];
    readonly left: readonly string[];
    readonly expired: readonly string[];
  };
  /** When the next grace, or the word for an address, ends by itself. */
  nextExpiryMs(): number;
}

interface Grace {
  readonly untilMs: number;
  /** The connections that were open when the address was named last. */
  readonly holders: Set<symbol>;
}

/**
 * Makes an empty set. An address that is not named any more stays a member's for as long as a connection is open that
 * was open then, at most graceMs: caches of name servers differ for a while, and a rolling update takes its time.
 * Without such a connection nothing tells the node from the next node with its address, so the address is out at once.
 */
export function createMemberSet(graceMs: number, vouchMs: number): MemberSet {
  const named = new Set<string>();
  /** Address -> until when it counts as named. */
  const vouched = new Map<string, number>();
  const graces = new Map<string, Grace>();
  const connections = new Map<string, Set<symbol>>();
  let reported: ReadonlySet<string> = new Set();

  const hasGrace = (ip: string, nowMs: number) => {
    const grace = graces.get(ip);
    return grace !== undefined && grace.holders.size > 0 && nowMs < grace.untilMs;
  };
  const isVouched = (ip: string, nowMs: number) => nowMs < (vouched.get(ip) ?? -Infinity);
  const has = (ip: string, nowMs: number) => named.has(ip) || isVouched(ip, nowMs) || hasGrace(ip, nowMs);
  const giveGrace = (ip: string, nowMs: number) =>
    graces.set(ip, { untilMs: nowMs + graceMs, holders: new Set(connections.get(ip)) });
  /** Addresses that are not named, but members' all the same. */
  const others = (nowMs: number) =>
    [...new Set([...vouched.keys(), ...graces.keys()])].filter((ip) => has(ip, nowMs));

  return {
    has,
    count: (nowMs) => named.size + others(nowMs).length,
    name(isOfFamily, ips, nowMs) {
      const now = new Set(ips);
      for (const ip of named) {
        if (!isOfFamily(ip) || now.has(ip)) continue;
        named.delete(ip);
        giveGrace(ip, nowMs);
      }
      for (const ip of now) {
        named.add(ip);
        graces.delete(ip);
        vouched.delete(ip);
      }
    },
    vouch(ip, nowMs) {
      if (named.has(ip)) return;
      graces.delete(ip);
      vouched.set(ip, nowMs + vouchMs);
    },
    opened(ip) {
      const connection = Symbol(ip);
      const open = connections.get(ip) ?? new Set();
      connections.set(ip, open.add(connection));
      return () => {
        graces.get(ip)?.holders.delete(connection);
        open.delete(connection);
        if (open.size === 0 && connections.get(ip) === open) connections.delete(ip);
      };
    },
    changes(nowMs) {
      const expired: string[] = [];
      for (const ip of vouched.keys()) {
        if (isVouched(ip, nowMs)) continue;
        vouched.delete(ip);
        giveGrace(ip, nowMs);
      }
      for (const [ip, { untilMs, holders }] of graces) {
        if (hasGrace(ip, nowMs)) continue;
        graces.delete(ip);
        if (holders.size > 0 && nowMs >= untilMs) expired.push(ip);
      }
      const now = new Set([...named, ...others(nowMs)]);
      const joined = [...now.difference(reported)];
      const left = [...reported.difference(now)];
      reported = now;
      return { joined, left, expired };
    },
    nextExpiryMs: () =>
      Math.min(Infinity, ...vouched.values(), ...[...graces.values()].map(({ untilMs }) => untilMs)),
  };
}
