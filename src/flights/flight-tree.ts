import type { FlightReport } from './flight-messages.ts';

const SECOND_MS = 1000;
/** A root that has not been heard for so long is gone. */
export const ROOT_LEASE_MS = 2 * SECOND_MS;
/** A leader that others name is the root for so long before it has asked itself: its layers wait for their turn. */
export const LEADER_GRACE_MS = 0.6 * SECOND_MS;
/** A child that has not been heard for so long is gone. */
const CHILD_LEASE_MS = 10 * SECOND_MS;
/** Nodes in one flight. More are sent to any of the others. */
const MAX_MEMBERS = 10_000;
/** From so many nodes on a chain is too long: nodes of this depth and deeper take two children. */
const WIDE_FROM_MEMBERS = 16;
const WIDE_FROM_DEPTH = 3;

/** A node in a flight. */
export interface FlightMember {
  readonly id: string;
  /** The node from which it takes the content; undefined: from upstream, or it has the content. */
  readonly parent: string | undefined;
  /** `root`: it downloads from upstream; `child`: from its parent; `holder`: it has the content. */
  readonly role: 'root' | 'child' | 'holder';
  readonly hasBegun: boolean;
  /** Steps to the node at the top. */
  readonly depth: number;
  readonly children: number;
}

/** What the tree needs to know from outside, at one moment. */
export interface TreeView {
  readonly nowMs: number;
  /** Nodes that have the content by the records of the DHT. */
  readonly holders: readonly string[];
  /** True for a node that can be asked for content. */
  readonly isThere: (id: string) => boolean;
}

/** What the node that joins says. */
export interface Joining {
  readonly leader: string | undefined;
  readonly bad: ReadonlySet<string>;
  readonly full: ReadonlySet<string>;
}

/** The nodes that want one digest, and which takes it from which. */
export interface FlightTree {
  /** Gives the node a place: returns its parent, or undefined if it is the root from now on. */
  join(id: string, joining: Joining, view: TreeView): string | undefined;
  report(id: string, report: Pick<FlightReport, 'state' | 'isRoot' | 'hasBegun'>, nowMs: number): void;
  /** The node that went upstream first, as long as it goes on, or has the content. */
  readonly leader: string | undefined;
  list(): readonly FlightMember[];
}

type Entry = { -readonly [Key in keyof FlightMember]: FlightMember[Key] } & { untilMs: number };

/** Makes the tree of a digest that is not wanted yet. */
export function createFlightTree(): FlightTree {
  const members = new Map<string, Entry>();
  /** Leaders that were waited for and have not been heard since: each is waited for once. */
  const awaited = new Set<string>();
  let leading: string | undefined;

  const detach = (entry: Entry) => {
    const parent = entry.parent === undefined ? undefined : members.get(entry.parent);
    if (parent !== undefined) parent.children--;
    entry.parent = undefined;
  };
  const put = (id: string, role: FlightMember['role'], untilMs: number): Entry => {
    const known = members.get(id);
    if (known !== undefined) {
      detach(known);
      return Object.assign(known, { role, untilMs, depth: 0 });
    }
    const entry: Entry = { id, parent: undefined, role, hasBegun: false, depth: 0, children: 0, untilMs };
    if (members.size < MAX_MEMBERS) members.set(id, entry);
    return entry;
  };
  const remove = (entry: Entry) => {
    detach(entry);
    members.delete(entry.id);
    // They find another parent when they ask. Should this node come back, they are not its children.
    if (entry.children > 0) {
      for (const child of members.values()) if (child.parent === entry.id) child.parent = undefined;
    }
    if (leading === entry.id) leading = undefined;
  };
  const isBelow = (entry: Entry, id: string): boolean => {
    let at: Entry | undefined = entry;
    for (let steps = 0; at !== undefined && steps <= members.size; steps++) {
      if (at.id === id) return true;
      at = at.parent === undefined ? undefined : members.get(at.parent);
    }
    return false;
  };
  const slotsOf = ({ depth, role }: Entry) =>
    role !== 'holder' && members.size > WIDE_FROM_MEMBERS && depth >= WIDE_FROM_DEPTH ? 2 : 1;
  /** True if content comes to the node from somewhere: there is a root or a holder above it, or it is that itself. */
  const isFed = (entry: Entry, { nowMs, isThere }: TreeView): boolean => {
    let at: Entry | undefined = entry;
    for (let steps = 0; at !== undefined && steps <= members.size; steps++) {
      if (at.untilMs <= nowMs || !isThere(at.id)) return false;
      if (at.role !== 'child') return true;
      at = at.parent === undefined ? undefined : members.get(at.parent);
    }
    return false;
  };
  /** The best place below: a free slot first, then near the top, then few children. */
  const isBetter = (entry: Entry, other: Entry, full: ReadonlySet<string>): boolean => {
    const isFree = ({ id, children }: Entry, slots: number) => children < slots && !full.has(id);
    const [free, otherFree] = [isFree(entry, slotsOf(entry)), isFree(other, slotsOf(other))];
    if (free !== otherFree) return free;
    if (!free) return entry.children < other.children;
    return entry.depth === other.depth ? entry.children < other.children : entry.depth < other.depth;
  };
  const bestParent = (id: string, { bad, full }: Joining, view: TreeView): Entry | undefined => {
    let best: Entry | undefined;
    for (const entry of members.values()) {
      if (entry.id === id || bad.has(entry.id)) continue;
      if (best !== undefined && !isBetter(entry, best, full)) continue;
      if (isFed(entry, view) && !isBelow(entry, id)) best = entry;
    }
    return best;
  };
  const addHolders = ({ holders, nowMs }: TreeView) => {
    for (const id of holders) {
      const known = members.get(id);
      if (known?.role !== 'holder') put(id, 'holder', Infinity).hasBegun = true;
      else known.untilMs = Infinity;
    }
    for (const entry of members.values()) {
      if (entry.untilMs > nowMs) continue;
      remove(entry);
      // It was heard, and is not heard any more.
      if (entry.role === 'root') awaited.add(entry.id);
    }
  };

  return {
    join(id, joining, view) {
      const { nowMs, holders } = view;
      const { leader, bad } = joining;
      addHolders(view);
      awaited.delete(id);
      const before = members.get(id);
      // Others wait for it: it goes on, unless there is a node that has all of it.
      if (
        before?.role === 'root' &&
        !holders.some((each) => each !== id && !bad.has(each) && view.isThere(each))
      ) {
        before.untilMs = nowMs + ROOT_LEASE_MS;
        return undefined;
      }
      if (before !== undefined) detach(before);
      let parent = bestParent(id, joining, view);
      const isNamed = leader !== undefined && leader !== id && !bad.has(leader) && view.isThere(leader);
      if (parent === undefined && isNamed && !awaited.has(leader)) {
        awaited.add(leader);
        parent = put(leader, 'root', nowMs + LEADER_GRACE_MS);
        leading ??= leader;
      }
      if (parent === undefined) {
        put(id, 'root', nowMs + ROOT_LEASE_MS).hasBegun = false;
        leading ??= id;
        return undefined;
      }
      const entry = put(id, 'child', nowMs + CHILD_LEASE_MS);
      entry.hasBegun = false;
      entry.parent = parent.id;
      entry.depth = parent.depth + 1;
      parent.children++;
      return parent.id;
    },
    report(id, { state, isRoot, hasBegun }, nowMs) {
      awaited.delete(id);
      const known = members.get(id);
      if (state === 'aborted') {
        if (known !== undefined) remove(known);
        return;
      }
      if (state === 'done') {
        put(id, 'holder', Infinity).hasBegun = true;
        return;
      }
      const untilMs = nowMs + (isRoot ? ROOT_LEASE_MS : CHILD_LEASE_MS);
      const entry =
        known === undefined || (isRoot && known.role === 'child')
          ? put(id, isRoot ? 'root' : 'child', untilMs)
          : known;
      if (entry.role !== 'holder') entry.untilMs = untilMs;
      entry.hasBegun = hasBegun;
    },
    get leader() {
      return leading;
    },
    list: () =>
      Array.from(members.values(), ({ id, parent, role, hasBegun, depth, children }) => ({
        id,
        parent,
        role,
        hasBegun,
        depth,
        children,
      })),
  };
}
