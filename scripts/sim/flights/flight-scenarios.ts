import type { SlotRule } from './sim-containerd.ts';
import { playFlight, type FlightPlay, type FlightResult, type PlayedFault } from './play-flight.ts';

/** What a scenario allows. */
export interface FlightLimits {
  readonly copies: number;
  /** Of the time that the slowest link needs. */
  readonly makespan: number;
  readonly heldMs: number;
  /** Bodies that break again between the same two nodes. */
  readonly repeated: number;
  /** Questions, reports and requests per node and content. */
  readonly messages: number;
}

/** A pull that many nodes begin. */
export interface FlightScenario {
  readonly name: string;
  readonly play: Omit<FlightPlay, 'seed' | 'slotRule'>;
  /** What it allows with each way in which containerd counts its downloads. */
  readonly limits: Readonly<Record<SlotRule, FlightLimits>>;
}

const SECOND_MS = 1000;
/** What a request may be held, and some time to find out that nothing else helps: containerd 2.3 waits 30 s. */
const HELD_MS = 29 * SECOND_MS;
/** What it is held at most while nothing goes wrong: three layers before it in the queue of the node that downloads it. */
const HELD_QUIET_MS = 8 * SECOND_MS;

const COLD = { nodes: 10, layers: 4, imageMib: 100, upstreamMbits: 200, linkMbits: 1000, spreadMs: 10 };
const QUIET: FlightLimits = {
  copies: 1.01,
  makespan: 1.15,
  heldMs: HELD_QUIET_MS,
  repeated: 0,
  messages: 16,
};
const SLOW: FlightLimits = { copies: 3.1, makespan: 3.1, heldMs: HELD_MS, repeated: 400, messages: 300 };
const FAULT: FlightLimits = { copies: 1.01, makespan: 1.3, heldMs: HELD_MS, repeated: 0, messages: 25 };

/** One scenario; with `perRequest` other limits for containerd 2.1 and later. */
function scenario(
  name: string,
  play: Partial<FlightPlay>,
  limits: FlightLimits,
  perRequest: Partial<FlightLimits> = {},
): FlightScenario {
  return {
    name,
    play: { ...COLD, ...play },
    limits: { 'per-layer': limits, 'per-request': { ...limits, ...perRequest } },
  };
}

/** Something that happens to a node in the middle of a pull of one big layer, or of several layers. */
function withFault(
  kind: PlayedFault['kind'],
  target: PlayedFault['target'],
  limits: Partial<FlightLimits>,
  { mendedAfterMs, ...play }: Partial<FlightPlay> & Pick<PlayedFault, 'mendedAfterMs'> = {},
): FlightScenario {
  const restart = kind === 'kill' && mendedAfterMs !== undefined ? ', and starts again' : '';
  const layers = play.layers ?? 1;
  const late = (play.spreadMs ?? 0) > SECOND_MS ? ', late starts' : '';
  const name = `${kind} ${target}${restart}${layers > 1 ? `, ${layers} layers` : ''}${late}`;
  const faults = [{ kind, target, atShare: 0.3, mendedAfterMs }];
  const all = { nodes: 6, imageMib: 200, bystanders: 2, layers, faults, ...play };
  return scenario(name, all, { ...FAULT, ...limits });
}

/** A small image, and a node of four that receives 3 Mbit/s from a moment on. */
function slowLink(target: PlayedFault['target'], layers: number): Partial<FlightPlay> {
  const faults = [{ kind: 'slow', target, atShare: 0.3 } as const];
  return { nodes: 4, layers, imageMib: 57, upstreamMbits: 100, slowMbits: 3, faults };
}

/** All scenarios that the tests play. */
export const FLIGHT_SCENARIOS: readonly FlightScenario[] = [
  scenario('3 nodes', { nodes: 3 }, QUIET),
  scenario('10 nodes', {}, QUIET),
  scenario('100 nodes', { nodes: 100 }, QUIET),
  scenario('starts within 1 s', { spreadMs: SECOND_MS }, QUIET),
  scenario('starts within 10 s', { spreadMs: 10 * SECOND_MS }, QUIET),
  scenario('1 layer', { layers: 1 }, QUIET),
  // Each node has its own order: a layer that the leader takes late has one of its three places for long.
  scenario('30 layers', { layers: 30 }, { ...QUIET, makespan: 1.6 }),
  // Three layers share each hop of the chain.
  scenario('upstream as fast as the links', { upstreamMbits: 1000 }, { ...QUIET, makespan: 1.8 }),
  scenario('upstream faster than the links', { upstreamMbits: 2000 }, { ...QUIET, makespan: 1.8 }),
  // A step of 1 MiB takes seconds, and a layer that the leader takes late is not waited for so long: then it is a copy.
  scenario('a slow upstream', { imageMib: 40, upstreamMbits: 5 }, SLOW),
  scenario('two images from a slow upstream', { imageMib: 20, upstreamMbits: 5, images: 2 }, SLOW),
  // Three connections of 50 Mbit/s do not fill 200, and the largest layer goes on alone.
  scenario('upstream limits each connection', { connectionMbits: 50 }, { ...QUIET, makespan: 2.5 }),
  scenario('a herd behind a holder', { nodes: 30, holders: 1 }, { ...QUIET, copies: 0, makespan: 2.6 }),
  scenario('two images, a leader each', { images: 2, layers: 8 }, QUIET, { copies: 1.4, makespan: 1.45 }),
  // They ask other towers than the rest, which do not know of the same flights.
  scenario(
    'half of the nodes do not see a tenth',
    { unseenShare: 0.1 },
    { ...FAULT, copies: 3, makespan: 3.2 },
  ),
  // The mirror is dead, and its containerd goes on upstream.
  withFault('kill', 'root', { copies: 1.8, makespan: 1.8 }),
  withFault('kill', 'parent', { copies: 1.8, makespan: 1.8 }),
  withFault('kill', 'root', { copies: 1.01, makespan: 1.1 }, { mendedAfterMs: 1500 }),
  withFault('stop', 'root', { copies: 1.8, makespan: 1.8 }),
  withFault('stop', 'parent', {}),
  withFault('machine', 'root', {}),
  withFault('machine', 'tower', {}),
  // A tower may be the root, too.
  withFault('stop', 'tower', { copies: 1.8, makespan: 1.8 }),
  withFault('stop', 'second-tower', { copies: 1.8, makespan: 1.8 }),
  withFault('hang', 'root', { copies: 1.8, makespan: 1.5 }, { mendedAfterMs: 15 * SECOND_MS }),
  // Too little has come to say that the link is slow.
  scenario(
    'hang root, a slow upstream',
    {
      nodes: 6,
      layers: 1,
      imageMib: 30,
      upstreamMbits: 20,
      faults: [{ kind: 'hang', target: 'root', atShare: 0.15, mendedAfterMs: 60 * SECOND_MS }],
    },
    { ...FAULT, copies: 1.9, makespan: 1.6 },
  ),
  withFault('cancel', 'root', {}, { mendedAfterMs: 2 * SECOND_MS }),
  withFault('cancel', 'parent', {}, { mendedAfterMs: 2 * SECOND_MS }),
  withFault('slow', 'root', { copies: 1.8, makespan: 2.3 }),
  // Another leader downloads what is left.
  withFault('machine', 'root', { copies: 1.5, makespan: 1.9 }, { layers: 8, nodes: 12 }),
  // What is held by a node that gets nothing is given up in time.
  withFault(
    'slow',
    'root',
    { copies: 1.7, makespan: 3, messages: 60, repeated: 30 },
    { layers: 8, nodes: 12 },
  ),
  // What it receives is a thirtieth of what came before. Its connections keep their shares of upstream, half of it all.
  scenario('slow root, 8 small layers', slowLink('root', 8), {
    ...FAULT,
    copies: 1.35,
    makespan: 2.95,
    repeated: 4,
    messages: 40,
  }),
  // A node in the middle of the chain: those behind it leave it.
  scenario('slow parent', slowLink('parent', 1), { ...FAULT, makespan: 1.45, repeated: 4 }),
  scenario('slow parent, 8 small layers', slowLink('parent', 8), { ...FAULT, makespan: 1.9, repeated: 4 }),
  // Nodes that come later ask the second tower, and find the root whose mirror was started again.
  withFault('stop', 'tower', { copies: 1.8, makespan: 1.8 }, { spreadMs: 6 * SECOND_MS, nodes: 12 }),
  withFault(
    'kill',
    'root',
    { copies: 1.01, makespan: 1.1 },
    { mendedAfterMs: 300, spreadMs: 6 * SECOND_MS, nodes: 12 },
  ),
];

/** Plays a scenario; `problems` says what it does not allow. */
export async function playScenario(
  { play, limits }: FlightScenario,
  how: Pick<FlightPlay, 'seed' | 'slotRule' | 'trace'>,
): Promise<{ readonly result: FlightResult; readonly problems: readonly string[] }> {
  const { slotRule } = how;
  const result = await playFlight({ ...play, ...how });
  return { result, problems: problemsOf(result, limits[slotRule]) };
}

/** What of a result is beyond the limits. */
function problemsOf(result: FlightResult, limits: FlightLimits): readonly string[] {
  const { copies, makespan, longestHeldMs, repeated, messages, failed, violations } = result;
  const above = (name: string, seen: number, limit: number) =>
    seen <= limit ? [] : [`${name}: ${seen} of ${limit}`];
  return [
    ...violations.slice(0, 3),
    ...above('failed or endless pulls', failed, 0),
    ...above('copies', copies, limits.copies),
    ...above('makespan', makespan, limits.makespan),
    ...above('ms held', longestHeldMs, limits.heldMs),
    ...above('repeated breaks', repeated, limits.repeated),
    ...above('messages', messages, limits.messages),
  ];
}
