import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BodyRelay,
  type BodySource,
  type ClientResponse,
  type MoveEnd,
  type MoveOptions,
  PeerRequestError,
} from '../../src/http/transport.ts';
import { createBufferedTransport } from '../../src/http/buffered-transport.ts';
import { createKernelTransport } from '../../src/http/kernel-transport.ts';
import { pattern } from '../../src/http/testing/pattern.ts';
import { createScriptedGrowth } from '../../src/http/testing/scripted-growth.ts';
import type { Transport } from '../../src/http/transport.ts';
import { until } from '../../src/runtime/conditions.fixture.ts';
import { createRandom } from '../sim/random.ts';
import { MAX_BODY_BYTES, planRequest, type RequestPlan } from './plan-request.ts';
import { connectSoakClient, type SoakAnswer, type SoakClient } from './soak-client.ts';
import { startSoakPeer } from './soak-peer.ts';

const KIB = 1024;
/** Less than in a node, so that short bodies are handed over, too. */
const KERNEL_MIN_BYTES = 16 * KIB;
/** A source that gives nothing for so long has stalled. Much less than in a node. */
const STALL_TIMEOUT_MS = 400;
const NEVER = new AbortController().signal;
const ASK = { connectTimeoutMs: 10_000, headTimeoutMs: 10_000, signal: NEVER };

/** What a soak runs. */
export interface SoakOptions {
  readonly transport: 'kernel' | 'buffered';
  readonly requests: number;
  /** Requests at once. */
  readonly clients: number;
  readonly seed: number;
  /** Requests before the resources are looked at for the first time. */
  readonly warmUpRequests: number;
  /** Called now and then. */
  readonly onProgress?: ((requests: number) => void) | undefined;
}

/** What this process holds while nothing runs. Descriptors by what they are: `socket`, `pipe`, `file` (of the bodies), and so on. */
export interface SoakResources {
  readonly descriptors: Readonly<Record<string, number>>;
  readonly rssMib: number;
  /** Subscriptions to the growth of files that were begun and not ended. */
  readonly subscriptions: number;
}

/** What came of a soak. */
export interface SoakResult {
  /** Sentences about answers that were not what they had to be. */
  readonly wrong: readonly string[];
  /** How many answers ended how, as clients saw it. */
  readonly ends: Readonly<Record<string, number>>;
  /** How many moves ended how, and sources that could not be had. */
  readonly moves: Readonly<Record<string, number>>;
  readonly receivedBytes: number;
  readonly kernelMovedBytes: number;
  readonly seconds: number;
  readonly before: SoakResources;
  readonly warm: SoakResources;
  readonly after: SoakResources;
  /** When the transport is closed. */
  readonly closed: SoakResources;
}

/** Asks a transport for bodies, with clients and sources that leave, break, stall and lie, all in this process. */
export async function runSoak({
  transport: kind,
  requests,
  clients,
  seed,
  warmUpRequests,
  onProgress,
}: SoakOptions): Promise<SoakResult> {
  const whole = pattern(MAX_BODY_BYTES);
  const folder = await mkdtemp(join(tmpdir(), 'soak-'));
  const path = join(folder, 'whole');
  await writeFile(path, whole);
  const random = createRandom(seed);
  const plans = new Map<number, RequestPlan>();
  const [wrong, ends, moves]: [string[], Record<string, number>, Record<string, number>] = [[], {}, {}];
  const count = (counts: Record<string, number>, what: string) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  let [asked, receivedBytes] = [0, 0];
  const growths = new Set<ReturnType<typeof createScriptedGrowth>>();
  /** Subscriptions that have not ended yet. A growth whose subscriptions have is forgotten. */
  const openSubscriptions = () => {
    let open = 0;
    for (const growth of growths) {
      const { begun, ended } = growth.subscriptions;
      // A subscription that was ended twice must not hide another one.
      open += Math.abs(begun - ended);
      if (begun > 0 && begun === ended) growths.delete(growth);
    }
    return open;
  };
  const resources = async (): Promise<SoakResources> => ({
    ...(await readResources(folder)),
    subscriptions: openSubscriptions(),
  });

  const before = await resources();
  const peer = await startSoakPeer((n) => plans.get(n), whole);
  const onError = (error: unknown) => void wrong.push(`The transport failed: ${String(error)}`);
  // Idle connections to the peer are gone when the resources are looked at.
  const options = { idleTimeoutMs: 200, lendsFromBytes: KERNEL_MIN_BYTES };
  const transport: Transport =
    kind === 'kernel'
      ? createKernelTransport({ ...options, minBytes: KERNEL_MIN_BYTES, onError })
      : createBufferedTransport(options);
  if (kind === 'kernel') await until(() => transport.kernelFigures().isOn);

  const openGrowing = async (plan: RequestPlan): Promise<BodySource> => {
    const last = plan.sourceEnds === 'whole' ? plan.sizeBytes : plan.sourceEndsAt;
    const growth = createScriptedGrowth(plan.start);
    openSubscriptions();
    growths.add(growth);
    const range = { start: plan.start, end: plan.start + plan.sizeBytes - 1 };
    const source = await transport.openGrowingFile(path, range, growth);
    const steps = 1 + Math.floor(plan.sizeBytes / (300 * KIB));
    let step = 0;
    const timer = setInterval(() => {
      step++;
      growth.growTo(plan.start + Math.floor((last * step) / steps));
      if (step < steps) return;
      clearInterval(timer);
      if (plan.sourceEnds !== 'stall') growth.end();
    }, 1);
    return source;
  };
  const openFile = ({ start, sizeBytes }: RequestPlan, fromByte = 0) =>
    transport.openFile(path, { start: start + fromByte, end: start + sizeBytes - 1 });
  const askPeer = async (n: number): Promise<BodySource | undefined> => {
    const request = {
      method: 'GET',
      host: '127.0.0.1',
      port: peer.port,
      path: `/${n}`,
      headers: {},
    } as const;
    try {
      const { body } = await transport.request(request, ASK);
      // What a peer sent behind its last answer may come late, and be taken for this one: nothing but its size tells.
      if (body === undefined || body.sizeBytes === plans.get(n)?.sizeBytes) return body;
      body.close();
      count(moves, 'peer of another size');
      return undefined;
    } catch (error) {
      if (!(error instanceof PeerRequestError)) throw error;
      count(moves, `peer ${error.code}`);
      return undefined;
    }
  };
  const open = (n: number, plan: RequestPlan): Promise<BodySource | undefined> => {
    if (plan.source === 'file') return openFile(plan);
    return plan.source === 'peer' ? askPeer(n) : openGrowing(plan);
  };
  /** Follows the relay for a part of the body. */
  const follow = (relay: BodyRelay) => {
    let unsubscribe: (() => void) | undefined;
    const timers = [
      setTimeout(() => {
        unsubscribe = relay.subscribe(() => {});
      }, 1),
      setTimeout(() => unsubscribe?.(), 3),
    ];
    return () => {
      for (const timer of timers) clearTimeout(timer);
      unsubscribe?.();
    };
  };

  const handle = async (n: number, client: ClientResponse) => {
    const plan = plans.get(n);
    if (plan === undefined) return;
    client.begin({ status: 200, headers: {}, contentLength: plan.sizeBytes });
    const cancel = new AbortController();
    const relay = plan.isFollowed ? transport.createRelay() : undefined;
    const unfollow = relay && follow(relay);
    const moveOptions: MoveOptions = {
      stallTimeoutMs: STALL_TIMEOUT_MS,
      signal: cancel.signal,
      relayed: relay && { relay, fromByte: 0 },
      onProgress:
        plan.handler === 'moves'
          ? undefined
          : (movedBytes) => {
              if (movedBytes < plan.handlerAt) return;
              if (plan.handler === 'cancels') cancel.abort();
              else client.breakOff();
            },
    };
    const source = await open(n, plan);
    const end: MoveEnd | undefined = source && (await client.move(source, moveOptions));
    unfollow?.();
    count(moves, end === undefined ? 'no source' : end.how === 'source-broken' ? end.reason : end.how);
    if (client.movedBytes === plan.sizeBytes || end?.how === 'client-gone') return;
    if (!plan.goesOn) {
      client.breakOff();
      return;
    }
    const rest = await openFile(plan, client.movedBytes);
    const { how } = await client.move(rest, { stallTimeoutMs: 60_000, signal: NEVER });
    count(moves, `rest: ${how}`);
  };
  const server = await transport.serve({
    address: '127.0.0.1:0',
    handler: async (request, client) => {
      await handle(Number(new URL(request.url).pathname.slice(1)), client);
      return new Response('not begun', { status: 500 });
    },
    onError,
  });

  /** What is wrong with an answer; undefined if nothing is. */
  const judge = (plan: RequestPlan, answer: SoakAnswer): string | undefined => {
    if (!answer.isRight) return 'has wrong bytes';
    if (answer.receivedBytes > plan.sizeBytes) return 'is too long';
    const mayBeLeft = ['closes', 'resets', 'stalls'].includes(plan.client);
    if (answer.end === 'left') return mayBeLeft ? undefined : 'was left';
    if (answer.end === 'complete') return undefined;
    // A client that half-closed is taken for gone when nothing comes for a while.
    if (answer.end === 'reset') return plan.client === 'half-closes' ? undefined : 'was reset';
    const mayBeShort =
      plan.handler === 'breaks-off' || plan.client === 'half-closes' || (!plan.goesOn && isStopped(plan));
    return mayBeShort ? undefined : 'is short';
  };
  const runClient = async (untilRequest: number) => {
    let client: SoakClient | undefined;
    while (asked < untilRequest) {
      const n = asked++;
      if (n % 1000 === 0) onProgress?.(n);
      const plan = planRequest(random.fork(n));
      plans.set(n, plan);
      client ??= await connectSoakClient(server.port);
      const body = whole.subarray(plan.start, plan.start + plan.sizeBytes);
      const answer = await client.request(`/${n}`, plan, body);
      plans.delete(n);
      receivedBytes += answer.receivedBytes;
      count(ends, answer.end);
      const fault = judge(plan, answer);
      if (fault !== undefined) {
        wrong.push(`Answer ${n} ${fault}: ${JSON.stringify(answer)} of ${JSON.stringify(plan)}`);
      }
      // An answer may be whole before it can be broken off: what is asked next then meets the FIN.
      const mayEnd = plan.handler === 'breaks-off' && answer.end === 'complete';
      if (mayEnd) client.close();
      if (mayEnd || !client.isOpen) client = undefined;
    }
    client?.close();
  };
  /** Asks up to that request, and waits until nothing runs. */
  const runTo = async (untilRequest: number): Promise<SoakResources> => {
    await Promise.all(Array.from({ length: clients }, () => runClient(untilRequest)));
    // What listens: the server and the peer.
    const idle = (before.descriptors['socket'] ?? 0) + 2;
    const isIdle = ({ descriptors, subscriptions }: SoakResources) =>
      (descriptors['socket'] ?? 0) <= idle && subscriptions === 0;
    await until(async () => isIdle(await resources())).catch(() => {
      wrong.push('There are sockets or subscriptions that nothing uses');
    });
    Bun.gc(true);
    return resources();
  };

  const warm = await runTo(warmUpRequests);
  const startMs = performance.now();
  const after = await runTo(warmUpRequests + requests);
  const seconds = (performance.now() - startMs) / 1000;
  const kernelMovedBytes = transport.kernelFigures().movedBytes;
  await server.close(0);
  await transport.close();
  await peer[Symbol.asyncDispose]();
  const all = ({ descriptors }: SoakResources) => Object.values(descriptors).reduce((sum, n) => sum + n, 0);
  await until(async () => all(await resources()) <= all(before), 10_000).catch(() => {
    wrong.push('There are descriptors that nothing uses, after the transport was closed');
  });
  const closed = await resources();
  await rm(folder, { recursive: true });
  return { wrong, ends, moves, receivedBytes, kernelMovedBytes, seconds, before, warm, after, closed };
}

/** The first source may end before the whole. On a busy machine one that is waited for may stall without being told to. */
function isStopped({ source, handler }: RequestPlan): boolean {
  return source !== 'file' || handler !== 'moves';
}

async function readResources(folder: string): Promise<Omit<SoakResources, 'subscriptions'>> {
  const descriptors: Record<string, number> = {};
  // The runtime opens a pipe of standard output once more when it first writes there.
  const standard = await Promise.all(
    [0, 1, 2].map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => undefined)),
  );
  for (const name of await readdir('/proc/self/fd')) {
    // The descriptor that reads the folder is gone.
    const target = await readlink(`/proc/self/fd/${name}`).catch(() => undefined);
    if (target === undefined || standard.includes(target)) continue;
    // The runtime opens some files of its own.
    if (target.startsWith('/') && !target.startsWith(folder)) continue;
    const what = target.startsWith('/') ? 'file' : (target.split(':[')[0] ?? '');
    descriptors[what] = (descriptors[what] ?? 0) + 1;
  }
  return { descriptors, rssMib: Math.round(process.memoryUsage.rss() / KIB / KIB) };
}
