import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';

/** So many nodes of a zone are silent before it counts as cut off: one alone may have crashed. */
const SILENT_NODES = 2;
/** For how long a node that was silent counts. Until then the failure detector has found the nodes that are gone. */
const MEMORY_MS = 4000;
/** Zones, and nodes of each, that are remembered. */
const MAX_ZONES = 32;
const MAX_NODES = 64;

/**
 * Which zones seem to be cut off as a whole: nodes there are not waited for, one after the other, as long as there is another way. An
 * undefined zone is never cut off.
 */
export interface ZoneOutages {
  /** A node of the zone, by one of its addresses, was asked and has said nothing. */
  silent(zone: string | undefined, node: string, silence: Silence): void;
  /** A node of the zone has said something. */
  heard(zone: string | undefined): void;
  /**
   * True when several nodes of the zone were silent lately, not all of them perhaps because they are busy, and none has said anything
   * since they were asked.
   */
  isCut(zone: string | undefined): boolean;
  /** Resolves when the zone is cut off; never for an undefined zone. Call `end` when that is of no interest any more. */
  untilCut(zone: string | undefined): { readonly cut: Promise<void>; readonly end: () => void };
}

/** How a node was silent. */
export interface Silence {
  /** How long ago it was asked, in ms. */
  readonly waitedMs: number;
  /** It may be there, and only be busy: such nodes alone do not make a zone count as cut off. Default false. */
  readonly mayBeBusy?: boolean;
}

/** A node that was silent. */
interface SilentNode {
  /** Until when that counts. */
  readonly untilMs: number;
  readonly mayBeBusy: boolean;
}

/** No zone is cut off. */
export function createZoneOutages(clock: Pick<Clock, 'nowMs'>): ZoneOutages {
  /** By zone and node. */
  const zones = new Map<string, Map<string, SilentNode>>();
  /** When a node of the zone has said something last. */
  const heardMs = new Map<string, number>();
  const waiting = new Map<string, Set<() => void>>();
  const isCut = (zone: string | undefined): boolean => {
    const silent = zone === undefined ? undefined : zones.get(zone);
    if (silent === undefined || silent.size < SILENT_NODES) return false;
    const nowMs = clock.nowMs();
    for (const [node, { untilMs }] of silent) if (nowMs >= untilMs) silent.delete(node);
    return silent.size >= SILENT_NODES && silent.values().some(({ mayBeBusy }) => !mayBeBusy);
  };
  return {
    silent(zone, node, { waitedMs, mayBeBusy = false }) {
      const nowMs = clock.nowMs();
      if (zone === undefined || nowMs - waitedMs < (heardMs.get(zone) ?? -Infinity)) return;
      const silent = zones.get(zone) ?? new Map<string, SilentNode>();
      if (silent.size >= MAX_NODES && !silent.has(node)) return;
      lruSet(zones, zone, silent, MAX_ZONES);
      const isKnown = silent.get(node)?.mayBeBusy === false;
      silent.set(node, { untilMs: nowMs + MEMORY_MS, mayBeBusy: mayBeBusy && !isKnown });
      if (isCut(zone)) for (const wake of waiting.get(zone) ?? []) wake();
    },
    heard(zone) {
      if (zone === undefined) return;
      lruSet(heardMs, zone, clock.nowMs(), MAX_ZONES);
      zones.delete(zone);
    },
    isCut,
    untilCut(zone) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (zone === undefined) return { cut: promise, end() {} };
      if (isCut(zone)) resolve();
      const listeners = waiting.get(zone) ?? new Set();
      waiting.set(zone, listeners);
      listeners.add(resolve);
      return {
        cut: promise,
        end() {
          listeners.delete(resolve);
          if (listeners.size === 0) waiting.delete(zone);
        },
      };
    },
  };
}
