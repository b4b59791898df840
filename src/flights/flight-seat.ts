import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Peer } from '../routing/router.ts';
import type { ZoneOutages } from '../routing/zone-outages.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import type { FlightAnswer, FlightQuestion } from './flight-messages.ts';
import type { FlightNetwork } from './flight-network.ts';
import type { Tower } from './tower.ts';

/** Nodes that keep the same flights, so that the loss of the closest one costs nothing. */
export const TOWERS = 2;

/**
 * Of 40 nodes on a busy machine a tower answers in a tenth of that. The next tower knows the holders and the roots, but not which
 * node follows which: where towers are only busy, its word would make two chains of one.
 */
const TOWER_LATE_MS = 100;

/** What createFlightSeat needs. */
export interface FlightSeatDeps {
  readonly network: Pick<FlightNetwork, 'self' | 'towersOf' | 'ask' | 'peerOf' | 'zoneOf'>;
  readonly tower: Pick<Tower, 'ask'>;
  readonly outages: Pick<ZoneOutages, 'heard' | 'silent' | 'untilCut'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a request says of itself. */
export interface SeatRequest {
  readonly digest: Digest;
  /** Who downloads the image, as far as can be known at the moment when it asks. */
  readonly leader: () => Promise<string | undefined>;
  /** How long one tower may take, in ms. */
  readonly towerTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** A node to take the content from. */
export interface Assigned {
  readonly name: string;
  readonly peer: Peer;
  /** The node that downloads it from upstream. */
  readonly leader: string | undefined;
}

/** One request's place in a flight: from which node to take the content, one after the other. */
export interface FlightSeat {
  /** From which node to take it now. `upstream`: this node is to download it. Undefined: no tower answers. */
  next(): Promise<Assigned | 'upstream' | undefined>;
  /** The node does not have it, or broke: it is not named again. */
  bad(name: string): void;
  /** No connection to the node could be made: the zone that it is in may be cut off. */
  gone(name: string): void;
  /** The node has no room now. */
  full(name: string): void;
  /** True if the node, which has given so many bytes, lags far behind another node that could give them. */
  lags(name: string, atByte: number): Promise<boolean>;
}

/** Most nodes that are named as bad or full: the last ones. */
const MAX_NAMED = 8;

/** Makes the seat of a request. It holds nothing that would have to be released. */
export function createFlightSeat(
  { network, tower, outages, clock, logger }: FlightSeatDeps,
  { digest, leader, towerTimeoutMs, signal }: SeatRequest,
): FlightSeat {
  const bad = new Set<string>();
  const full = new Set<string>();
  const add = (names: Set<string>, name: string) => {
    names.add(name);
    const [oldest] = names;
    if (names.size > MAX_NAMED && oldest !== undefined) names.delete(oldest);
  };
  const ask = askTower({ network, tower, clock }, { towerTimeoutMs, signal });
  let avoidsOwnZone = false;

  return {
    async next() {
      const question = {
        digest,
        leader: await leader(),
        bad: [...bad],
        full: [...full],
        ...(avoidsOwnZone ? { avoidsOwnZone } : {}),
      };
      const answer = await askInTurn(
        { network, tower, outages, clock, logger },
        { towerTimeoutMs, signal },
        question,
      );
      if (answer?.verdict === 'upstream') return 'upstream';
      if (answer?.verdict !== 'take') return undefined;
      const { from, leader: root } = answer;
      const peer = from === network.self || bad.has(from) ? undefined : network.peerOf(from);
      // Without it: a tower that sees other nodes than this node does, or lies.
      return peer && { name: from, peer, leader: root };
    },
    bad: (name) => add(bad, name),
    gone(name) {
      add(bad, name);
      const zone = network.zoneOf(name);
      if (zone !== undefined && zone === network.zoneOf(network.self)) avoidsOwnZone = true;
    },
    full: (name) => add(full, name),
    async lags(name, lagsAtByte) {
      const [closest] = network.towersOf(digest, 1);
      if (closest === undefined || signal.aborted) return false;
      const question = {
        digest,
        leader: undefined,
        bad: [...bad, name].slice(-MAX_NAMED),
        full: [],
        lagsAtByte,
      };
      const answer = await ask(closest, question).catch(() => undefined);
      return answer?.verdict === 'take' && answer.from !== name;
    },
  };
}

/**
 * Asks the towers of a manifest which node leads its image, none of the bad nodes. Undefined: no tower answers, or it names a
 * node that this node does not know.
 */
export async function askForLeader(
  deps: FlightSeatDeps,
  {
    digest,
    bad,
    towerTimeoutMs,
  }: { readonly digest: Digest; readonly bad: readonly string[]; readonly towerTimeoutMs: number },
): Promise<string | undefined> {
  const { network } = deps;
  const question = { digest, leader: undefined, bad, full: [], isAboutLeader: true };
  const answer = await askInTurn(deps, { towerTimeoutMs }, question);
  if (answer?.verdict !== 'led' || bad.includes(answer.leader)) return undefined;
  const { leader } = answer;
  return leader === network.self || network.peerOf(leader) !== undefined ? leader : undefined;
}

/** How one tower is asked. */
interface TowerLimits {
  readonly towerTimeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * The answer of the closest tower of the digest, or of the next one, which knows the holders and the roots, too. The next is
 * asked beside a closest one that is late, and believed when it names a node; that there is none the closest has to say, or
 * else each of the two would send a node upstream. Nor do two towers name two leaders: they are asked one after the other.
 */
async function askInTurn(
  deps: FlightSeatDeps,
  limits: TowerLimits,
  question: FlightQuestion,
): Promise<FlightAnswer | undefined> {
  const { network, outages, clock, logger } = deps;
  const { isAboutLeader = false } = question;
  const askOne = askTower(deps, limits);
  /** Its answer, undefined for none, and whether that is late. */
  const ask = (name: string | undefined): AskedTower => {
    if (name === undefined || limits.signal?.aborted === true) return NOT_ASKED;
    const zone = name === network.self ? undefined : network.zoneOf(name);
    const startedMs = clock.nowMs();
    const asked = askOne(name, question);
    const answer = zone === undefined ? asked : unlessCut(asked, outages, zone);
    // This node answers itself at once.
    const late = name === network.self ? IN_TIME : isLate(answer, clock);
    const silent = (mayBeBusy: boolean) => {
      const node = network.peerOf(name)?.addresses[0] ?? name;
      outages.silent(zone, node, { waitedMs: clock.nowMs() - startedMs, mayBeBusy });
    };
    void late.then(async (isSo) => {
      if (!isSo) return;
      silent(true);
      // When this process did not get to run for a while, what has come meanwhile is read before this is over, too.
      if (await isLate(answer, clock)) silent(false);
    });
    const ends = answer.then(
      (said) => {
        const text = isAboutLeader ? 'leader of an image asked for' : 'flight assigned';
        logger.debug(text, { ...question, tower: name, ...said });
        return said;
      },
      (error: unknown) => {
        logger.debug('tower of a flight does not answer', { digest: question.digest, tower: name, error });
        return undefined;
      },
    );
    return { ends, late };
  };
  const [closest, next] = network.towersOf(question.digest, TOWERS);
  const first = ask(closest);
  if (isAboutLeader || next === undefined || !(await first.late)) {
    return (await first.ends) ?? ask(next).ends;
  }
  const second = ask(next);
  const named = async () => {
    const answer = await second.ends;
    return answer?.verdict === 'take' ? answer : ((await first.ends) ?? answer);
  };
  return Promise.race([first.ends.then((answer) => answer ?? second.ends), named()]);
}

/** The answer of a node, or a failure when its zone seems to be cut off before. */
async function unlessCut<T>(
  asked: Promise<T>,
  outages: Pick<ZoneOutages, 'heard' | 'untilCut'>,
  zone: string,
): Promise<T> {
  const outage = outages.untilCut(zone);
  asked.then(
    () => outages.heard(zone),
    () => {},
  );
  const cut = outage.cut.then(() => Promise.reject(new Error('The zone of the node seems to be cut off')));
  try {
    return await Promise.race([asked, cut]);
  } finally {
    outage.end();
  }
}

interface AskedTower {
  readonly ends: Promise<FlightAnswer | undefined>;
  readonly late: Promise<boolean>;
}

const IN_TIME = Promise.resolve(false);
/** There is no tower to ask. */
const NOT_ASKED: AskedTower = { ends: Promise.resolve(undefined), late: IN_TIME };

/** True if the tower, which may be gone together with its zone, has not answered in TOWER_LATE_MS. */
async function isLate(answer: Promise<unknown>, clock: Pick<Clock, 'after'>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(TOWER_LATE_MS, () => resolve(true));
    const end = () => {
      cancel();
      resolve(false);
    };
    answer.then(end, end);
  });
}

function askTower(
  { network, tower, clock }: Pick<FlightSeatDeps, 'network' | 'tower' | 'clock'>,
  { towerTimeoutMs, signal }: TowerLimits,
): (name: string, question: FlightQuestion) => Promise<FlightAnswer> {
  return async (name, question) => {
    if (name === network.self) return tower.ask(name, question);
    using deadline = createDeadline(clock, towerTimeoutMs, signal);
    return await network.ask(name, question, deadline.signal);
  };
}
