import { afterEach, beforeEach, expect } from 'bun:test';

import { createLogger, silentLogger } from '../../observe/log.ts';
import type { Peer, Router } from '../../routing/router.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Bootstrapper } from '../../bootstrap/bootstrapper.ts';
import type { AddressLimits } from '../connections/door-addresses.ts';
import { loadIdentity } from '../identity.ts';
import type { Membership } from '../../membership/membership.ts';
import { createP2pRouter } from '../p2p-router.ts';
import type { P2pRouter, RouterObserver } from '../p2p-router-contract.ts';
import type { RouterMemory } from '../router-budget.ts';
import { createStaticBootstrapper } from '../../bootstrap/static-bootstrapper.ts';

/** What a router of a test has different from the others. */
export interface TestRouterOptions {
  /** Default `127.0.0.1:0`. */
  readonly listenAddress?: string;
  /** Default a new key. */
  readonly privateKey?: Awaited<ReturnType<typeof loadIdentity>>;
  /** Default 127.0.0.1. */
  readonly announceAddresses?: readonly string[];
  /** Gets the lines of its log. */
  readonly log?: string[];
  /** Default: all peers, loopback included. */
  readonly membership?: Membership;
  /** Default: none. */
  readonly swarmKey?: Uint8Array;
  /** Default: no limits. */
  readonly addressLimits?: AddressLimits;
  /** Default: that of a node with 128 MiB. */
  readonly memory?: RouterMemory;
  /** Default: it is not known. */
  readonly zone?: string;
  readonly nodeName?: string;
  readonly observer?: RouterObserver;
  readonly onPeerReturned?: (peerId: string) => void;
}

/** Routers on the loopback that end with the test. */
export function createTestRouters() {
  const started: P2pRouter[] = [];
  return {
    /** Starts a router; without a bootstrapper it has no peer to ask. */
    async start(
      bootstrapper: Bootstrapper = createStaticBootstrapper([]),
      {
        listenAddress = '127.0.0.1:0',
        privateKey,
        announceAddresses = ['127.0.0.1'],
        log,
        membership,
        swarmKey,
        addressLimits,
        memory,
        zone,
        nodeName,
        ...listeners
      }: TestRouterOptions = {},
    ): Promise<P2pRouter> {
      const logger =
        log === undefined ? silentLogger : createLogger({ level: 'debug', write: (line) => log.push(line) });
      const identity = privateKey ?? (await loadIdentity());
      const router = await createP2pRouter(
        {
          logger,
          clock: systemClock,
          bootstrapper,
          privateKey: identity,
          ...(membership === undefined ? {} : { membership }),
          ...listeners,
        },
        {
          listenAddress,
          announceAddresses,
          allowLoopback: true,
          swarmKey,
          zone,
          nodeName,
          ...(addressLimits === undefined ? {} : { addressLimits }),
          ...(memory === undefined ? {} : { memory }),
        },
      );
      started.push(router);
      return router;
    },
    /** Stops one router. */
    async stop(router: P2pRouter): Promise<void> {
      started.splice(started.indexOf(router), 1);
      await router[Symbol.asyncDispose]();
    },
    /** Stops all of them. */
    async stopAll(): Promise<void> {
      await Promise.all(started.splice(0).map(async (router) => router[Symbol.asyncDispose]()));
    },
  };
}

/** The router's first address, with its ID. */
export function addressOf(router: Router): string {
  return `${router.self().multiaddrs[0]}/p2p/${router.self().id}`;
}

/** The port that the router listens on. */
export function portOf(router: Router): number {
  return Number(router.self().multiaddrs[0]?.split('/').at(-1));
}

/** The peers that have the key, as far as the router finds out within a second. */
export async function find(router: Router, key: string): Promise<Peer[]> {
  return Array.fromAsync(router.lookup(key, { signal: AbortSignal.timeout(1000), limit: 20 }));
}

/** Stops the routers after each test of the file, and fails a test that left a rejection or an error uncaught. */
export function stopAfterEach(routers: ReturnType<typeof createTestRouters>): void {
  let uncaught: unknown[] = [];
  const onUncaught = (reason: unknown) => void uncaught.push(reason);
  beforeEach(() => {
    uncaught = [];
    process.on('unhandledRejection', onUncaught);
    process.on('uncaughtException', onUncaught);
  });
  afterEach(async () => {
    await routers.stopAll();
    // Rejections that are not handled are reported a turn later.
    await new Promise(setImmediate);
    process.off('unhandledRejection', onUncaught);
    process.off('uncaughtException', onUncaught);
    expect(uncaught).toEqual([]);
  });
}
