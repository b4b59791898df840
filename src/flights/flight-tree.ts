import { lruSet } from '../runtime/lru-set.ts';
import type { FlightReport } from './flight-messages.ts';

const SECOND_MS = 1000;
/** A root that has not been heard for so long is gone. */
export const ROOT_LEASE_MS = 2 * SECOND_MS;
/** How much longer the lease of a root is that has said that it stops: its mirror may be being updated. */
const PAUSE_MS = 10 * SECOND_MS;
/**
 * A leader that others name is the root for so long before it has asked itself, for those who name it: its layers wait for
 * their turn. Whether it still leads they hear from it when they ask it.
 */
export const NAMED_LEASE_MS = 30 * SECOND_MS;
/** A child that has not been heard for so long is gone: while it waits for the first byte it says nothing. */
const CHILD_LEASE_MS = 30 * SECOND_MS;
/** A node is far ahead of another one with so many bytes more: a chain of ten nodes is shorter. */
const AHEAD_BYTES = 16 * 1024 * 1024;
/**
 * So is a node that has had all of it for so long, unless the other one has, too: what is slow then is the way from there.
 * When the nodes of a chain are done, they are so one soon after the other.
 */
const AHEAD_DONE_MS = 2 * SECOND_MS;
/** A node that another node has called bad comes last for so long: it may be dead, or only not within reach of that node. */
const SUSPECT_MS = 10 * SECOND_MS;
/** A root that has given up comes last for so long, also when it has the content in the end: its link may be slow. */
const GIVEN_UP_MS = 60 * SECOND_MS;
/** Such nodes that are remembered. */
const MAX_SUSPECTS = 64;
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
  /** The same for a node that was there a moment ago: what a root downloads it goes on with after its mirror is restarted. */
  readonly wasThere: (id: string) => boolean;
  /** Where a node is; undefined: it has not said so. */
  readonly zoneOf: (id: string) => string | undefined;
  /** True for a node that has said some seconds ago that it stops. */
  readonly isPausing: (id: string) => boolean;
}

/** What the node that joins says. */
export interface Joining {
  readonly leader: string | undefined;
  readonly bad: ReadonlySet<string>;
  readonly full: ReadonlySet<string>;
  /** It could not reach a node of its own zone: nodes there come last. Default false. */
  readonly avoidsOwnZone?: boolean | undefined;
}

/** The nodes that want one digest, and which takes it from which. */
export interface FlightTree {
  /** Gives the node a place: returns its parent, or undefined if it is the root from now on. */
  join(id: string, joining: Joining, view: TreeView): string | undefined;
  report(id: string, report: Omit<FlightReport, 'digest'>, nowMs: number): void;
  /** A node that is far ahead of so many bytes, which the node has from `of`, and that it could take the content from. */
  ahead(
    id: string,
    atByte: number,
    { bad, of }: { readonly bad: ReadonlySet<string>; readonly of: string | undefined },
    view: TreeView,
  ): string | undefined;
  /** The node that went upstream first, as long as it goes on, or has the content. */
  readonly leader: string | undefined;
  /** The leader; if that is a bad node, or not there, the node itself is the leader from now on. */
  lead(id: string, bad: ReadonlySet<string>, isThere: TreeView['isThere']): string;
  list(): readonly FlightMember[];
}

type Entry = { -readonly [Key in keyof FlightMember]: FlightMember[Key] } & {
  untilMs: number;
  /** Bytes that it had when it was heard last; 0 for a node that had all of it before the others began. */
  writtenBytes: number;
  /** When it was given its place last. */
  joinedMs: number;
  /** When it said that it has all of it. */
  doneMs: number | undefined;
  /** False for a leader that others have named. */
  isHeard: boolean;
};

/** Makes the tree of a digest that is not wanted yet. */
export function createFlightTree(): FlightTree {
  const members = new Map<string, Entry>();
  /** Roots that were heard once, and are not heard any more: they are not waited for. */
  const lost = new Set<string>();
  /** Until when nodes that were called bad come last. */
  const suspects = new Map<string, number>();
  /** The same for roots that have given up. */
  const givenUp = new Map<string, number>();
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
    const place = { parent: undefined, depth: 0, children: 0 };
    const entry: Entry = {
      id,
      ...place,
      role,
      hasBegun: false,
      writtenBytes: 0,
      joinedMs: -Infinity,
      doneMs: undefined,
      isHeard: false,
      untilMs,
    };
    if (members.size < MAX_MEMBERS) members.set(id, entry);
    return entry;
  };
  const putHolder = (id: string): Entry =>
    Object.assign(put(id, 'holder', Infinity), { hasBegun: true, isHeard: true });
  const remove = (entry: Entry) => {
    detach(entry);
    members.delete(entry.id);
    // They find another parent when they ask. Should this node come back, they are not its children.
    if (entry.children > 0) {
      for (const child of members.values()) if (child.parent === entry.id) child.parent = undefined;
    }
    if (leading === entry.id) leading = undefined;
  };
  const isExpired = ({ id, role, untilMs }: Entry, { nowMs, isPausing }: TreeView): boolean =>
    untilMs + (role === 'root' && isPausing(id) ? PAUSE_MS : 0) <= nowMs;
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
  /**
   * True if content comes to the node from somewhere: there is a root or a holder above it, or it is that itself. A root that
   * was only named is that for those who do not know of another leader.
   */
  const isFed = (entry: Entry, { leader }: Joining, view: TreeView): boolean => {
    const { isThere, wasThere } = view;
    let at: Entry | undefined = entry;
    for (let steps = 0; at !== undefined && steps <= members.size; steps++) {
      if (isExpired(at, view) || !(at.role === 'root' ? wasThere : isThere)(at.id)) return false;
      if (at.role !== 'child') return at.isHeard || leader === undefined || at.id === leader;
      at = at.parent === undefined ? undefined : members.get(at.parent);
    }
    return false;
  };
  /**
   * How far away a node of the flight is from the node that joins: 0 in its zone, 1 in another zone, 2 in a zone that may be
   * cut off from it. A node without room is not nearer for its zone.
   */
  const distancesFrom = (id: string, joining: Joining, view: TreeView): ((entry: Entry) => number) => {
    const own = view.zoneOf(id);
    if (own === undefined) return () => 0;
    const avoided = new Set(Array.from(joining.bad, (each) => view.zoneOf(each)));
    avoided.delete(undefined);
    if (joining.avoidsOwnZone === true) avoided.add(own);
    // That a node of the own zone does not have it, or is gone, says nothing of the others there.
    else avoided.delete(own);
    return ({ id }) => {
      const zone = view.zoneOf(id);
      if (avoided.has(zone)) return 2;
      return zone === own && !joining.full.has(id) ? 0 : 1;
    };
  };
  /**
   * The best place below: nodes that were not called bad first, then near nodes, then a free slot, then near the top, then few
   * children.
   */
  const isBetter = (
    entry: Entry,
    other: Entry,
    {
      full,
      nowMs,
      distanceOf,
    }: Pick<Joining & TreeView, 'full' | 'nowMs'> & { readonly distanceOf: (entry: Entry) => number },
  ): boolean => {
    const isSuspect = ({ id }: Entry) => nowMs < Math.max(suspects.get(id) ?? 0, givenUp.get(id) ?? 0);
    if (isSuspect(entry) !== isSuspect(other)) return isSuspect(other);
    // A leader that was only named may have given the image up.
    if (entry.isHeard !== other.isHeard) return entry.isHeard;
    const farther = distanceOf(entry) - distanceOf(other);
    if (farther !== 0) return farther < 0;
    const isFree = ({ id, children }: Entry, slots: number) => children < slots && !full.has(id);
    const [free, otherFree] = [isFree(entry, slotsOf(entry)), isFree(other, slotsOf(other))];
    if (free !== otherFree) return free;
    if (!free) return entry.children < other.children;
    return entry.depth === other.depth ? entry.children < other.children : entry.depth < other.depth;
  };
  const bestParent = (
    id: string,
    joining: Joining,
    view: TreeView,
    isWanted: (entry: Entry) => boolean = () => true,
  ): Entry | undefined => {
    const { bad } = joining;
    const distanceOf = distancesFrom(id, joining, view);
    const rules = { full: joining.full, nowMs: view.nowMs, distanceOf };
    let best: Entry | undefined;
    for (const entry of members.values()) {
      if (entry.id === id || bad.has(entry.id) || !isWanted(entry)) continue;
      if (best !== undefined && !isBetter(entry, best, rules)) continue;
      if (isFed(entry, joining, view) && !isBelow(entry, id)) best = entry;
    }
    return best;
  };
  const isAwaited = (id: string, { leader, bad }: Joining, { wasThere }: TreeView) =>
    id === leader && !bad.has(id) && !lost.has(id) && wasThere(id);
  const refresh = (view: TreeView) => {
    for (const id of view.holders) {
      const known = members.get(id);
      if (known?.role === 'holder') known.untilMs = Infinity;
      else putHolder(id);
    }
    for (const entry of members.values()) {
      if (!isExpired(entry, view)) continue;
      remove(entry);
      if (entry.isHeard && entry.role === 'root') lost.add(entry.id);
    }
  };

  return {
    join(id, joining, view) {
      const { nowMs, holders } = view;
      const { leader, bad } = joining;
      lost.delete(id);
      suspects.delete(id);
      for (const each of bad) lruSet(suspects, each, nowMs + SUSPECT_MS, MAX_SUSPECTS);
      refresh(view);
      const before = members.get(id);
      // Others wait for it: it goes on, unless there is a node that has all of it.
      if (
        before?.role === 'root' &&
        before.isHeard &&
        !holders.some((each) => each !== id && !bad.has(each) && view.isThere(each))
      ) {
        before.untilMs = nowMs + ROOT_LEASE_MS;
        return undefined;
      }
      // Nodes of another image wait for it: two leaders must not wait for each other.
      const isNamed = before?.role === 'root' && before.children > 0;
      if (before !== undefined) detach(before);
      let parent = bestParent(id, isNamed ? { ...joining, leader: id } : joining, view);
      const awaits = leader !== undefined && leader !== id && !isNamed && isAwaited(leader, joining, view);
      if (parent === undefined && awaits) {
        parent = put(leader, 'root', nowMs + NAMED_LEASE_MS);
        parent.isHeard = false;
        leading ??= leader;
      }
      if (parent === undefined) {
        Object.assign(put(id, 'root', nowMs + ROOT_LEASE_MS), { hasBegun: false, isHeard: true });
        leading ??= id;
        return undefined;
      }
      const entry = put(id, 'child', nowMs + CHILD_LEASE_MS);
      Object.assign(entry, { hasBegun: false, isHeard: true, joinedMs: nowMs });
      entry.parent = parent.id;
      entry.depth = parent.depth + 1;
      parent.children++;
      return parent.id;
    },
    ahead(id, atByte, { bad, of }, view) {
      refresh(view);
      const joining = { leader: undefined, bad, full: new Set<string>() };
      const source = of === undefined ? undefined : members.get(of);
      const isAhead = ({ role, writtenBytes, doneMs = Infinity }: Entry) => {
        // Of two nodes that have all of it neither is ahead: the asker's own link may be what is slow.
        if (source?.role === 'holder' && role === 'holder') return false;
        if (writtenBytes >= atByte + AHEAD_BYTES) return true;
        return writtenBytes > atByte && view.nowMs - doneMs >= AHEAD_DONE_MS;
      };
      if (source?.role === 'child' && !isAhead(source)) {
        // Either the slow link is further up, and the node below it is to leave its parent; or the source has just done that.
        const above = source.parent === undefined ? undefined : members.get(source.parent);
        const isBehindIt = above !== undefined && (above.role === 'holder' || isAhead(above));
        if (!isBehindIt || view.nowMs - source.joinedMs < AHEAD_DONE_MS) return undefined;
      }
      return bestParent(id, joining, view, isAhead)?.id;
    },
    report(id, { state, isRoot, hasBegun, writtenBytes }, nowMs) {
      lost.delete(id);
      if (state !== 'aborted') suspects.delete(id);
      const known = members.get(id);
      if (state === 'aborted') {
        if (isRoot) lruSet(givenUp, id, nowMs + GIVEN_UP_MS, MAX_SUSPECTS);
        if (known !== undefined) remove(known);
        return;
      }
      if (state === 'done') {
        Object.assign(putHolder(id), { writtenBytes, doneMs: nowMs });
        return;
      }
      const untilMs = nowMs + (isRoot ? ROOT_LEASE_MS : CHILD_LEASE_MS);
      const entry =
        known === undefined || (isRoot && known.role === 'child')
          ? put(id, isRoot ? 'root' : 'child', untilMs)
          : known;
      if (entry.role !== 'holder') entry.untilMs = untilMs;
      entry.isHeard = true;
      Object.assign(entry, { hasBegun, writtenBytes });
    },
    get leader() {
      return leading;
    },
    lead(id, bad, isThere) {
      if (leading === undefined || bad.has(leading) || !isThere(leading)) leading = id;
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
