import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { countDown, countUp } from '../runtime/key-counts.ts';
import type { FlightAnswer, FlightQuestion, FlightReport } from './flight-messages.ts';
import { createFlightTree, type FlightTree, type TreeView } from './flight-tree.ts';

const SECOND_MS = 1000;
/** A flight of which nothing was heard for so long is forgotten. */
const FORGET_AFTER_MS = 60 * SECOND_MS;
/**
 * Flights at a time: the layers of a hundred images. Of more, a flight of the node that has begun most of them goes: that
 * which was heard of longest ago. So a node that asks for anything takes only its own flights from the others.
 */
const MAX_FLIGHTS = 2000;

/** What createTower needs. Nodes are named as in FlightNetwork. */
export interface TowerDeps {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** The nodes that provide the digest, by this node's own records, this node among them if it does. */
  readonly holdersOf: (digest: Digest) => readonly string[];
  /** True for a node that can be asked for content now: a member that does not count as dead. */
  readonly isThere: (name: string) => boolean;
  /** The same for a node that was there a moment ago: its mirror may be restarting. */
  readonly wasThere: (name: string) => boolean;
  /** See FlightNetwork. */
  readonly zoneOf: (name: string) => string | undefined;
  /** See FlightNetwork. */
  readonly isPausing: (name: string) => boolean;
}

/** A flight as it is now, for those who look. */
export interface FlightState {
  readonly digest: Digest;
  readonly members: ReturnType<FlightTree['list']>;
}

interface Flight {
  readonly tree: FlightTree;
  /** The node that asked first. */
  readonly by: string;
  readonly heardMs: number;
}

/** Says who takes what from which node, for the digests that this node is closest to. */
export interface Tower {
  ask(from: string, question: FlightQuestion): FlightAnswer;
  report(from: string, report: FlightReport): void;
  /** The flights of the last minute. */
  flights(): readonly FlightState[];
}

/** Makes a tower that knows no flight yet. It holds no timer: what is over is seen when it is looked at. */
export function createTower({ clock, holdersOf, isThere, wasThere, zoneOf, isPausing }: TowerDeps): Tower {
  /** The flight that was heard of last comes last. */
  const flights = new Map<Digest, Flight>();
  /** How many of them each node has begun. */
  const begun = new Map<string, number>();

  const forget = (digest: Digest, { by }: Flight) => {
    flights.delete(digest);
    countDown(begun, by);
  };
  const makeRoom = () => {
    if (flights.size < MAX_FLIGHTS) return;
    let [most, mostBegun] = ['', 0];
    for (const [by, count] of begun) if (count > mostBegun) [most, mostBegun] = [by, count];
    for (const [digest, flight] of flights) {
      if (flight.by !== most) continue;
      forget(digest, flight);
      return;
    }
  };
  const treeOf = (digest: Digest, from: string): FlightTree => {
    const nowMs = clock.nowMs();
    const known = flights.get(digest);
    if (known !== undefined && nowMs - known.heardMs < FORGET_AFTER_MS) {
      flights.delete(digest);
      flights.set(digest, { ...known, heardMs: nowMs });
      return known.tree;
    }
    if (known !== undefined) forget(digest, known);
    makeRoom();
    const tree = createFlightTree();
    flights.set(digest, { tree, by: from, heardMs: nowMs });
    countUp(begun, from);
    return tree;
  };
  const viewOf = (digest: Digest): TreeView => ({
    nowMs: clock.nowMs(),
    holders: holdersOf(digest),
    isThere,
    wasThere,
    zoneOf,
    isPausing,
  });

  return {
    ask(from, { digest, leader, bad, full, avoidsOwnZone, isAboutLeader = false, lagsAtByte }) {
      const tree = treeOf(digest, from);
      if (lagsAtByte !== undefined) {
        const ahead = tree.ahead(from, lagsAtByte, { bad: new Set(bad), of: bad.at(-1) }, viewOf(digest));
        return ahead === undefined
          ? { verdict: 'upstream' }
          : { verdict: 'take', from: ahead, leader: tree.leader };
      }
      if (isAboutLeader) return { verdict: 'led', leader: tree.lead(from, new Set(bad), isThere) };
      const joining = { leader, bad: new Set(bad), full: new Set(full), avoidsOwnZone };
      const parent = tree.join(from, joining, viewOf(digest));
      if (parent === undefined) return { verdict: 'upstream' };
      return { verdict: 'take', from: parent, leader: tree.leader };
    },
    report(from, report) {
      treeOf(report.digest, from).report(from, report, clock.nowMs());
    },
    flights() {
      const nowMs = clock.nowMs();
      return Array.from(flights)
        .filter(([, { heardMs }]) => nowMs - heardMs < FORGET_AFTER_MS)
        .map(([digest, { tree }]) => ({ digest, members: tree.list() }));
    },
  };
}
