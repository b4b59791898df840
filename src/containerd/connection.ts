import type { Logger } from '../observe/log.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import type { ContainerdClient, ContainerdEvent } from './containerd-client.ts';

const SECOND_MS = 1000;
/**
 * How often an idle connection is tried. containerd counts gRPC pings more often than every 5 minutes as
 * misuse and hangs up, so a call of our own finds the containerd that hangs.
 */
export const PROBE_INTERVAL_MS = 5 * SECOND_MS;
/** Delays between attempts to reach containerd: a restart takes about a second, and an attempt is cheap. */
const RECONNECT = { initialMs: SECOND_MS / 10, maxMs: 2 * SECOND_MS } as const;

/** What a connection needs of the store. */
export interface ConnectionDeps {
  /** Makes a client for the next attempt. */
  readonly connect: () => ContainerdClient;
  readonly onEvent: (event: ContainerdEvent) => void;
  /** Lists everything, when events flow again. The connection counts as up once this has resolved. */
  readonly onConnected: (client: ContainerdClient, version: string) => Promise<void>;
  /** Called about every PROBE_INTERVAL_MS while up, after a probe that was answered. A rejection ends the connection. */
  readonly onProbed: () => Promise<void>;
  /** Called with every change of `up`. */
  readonly onConnectionChange: (up: boolean) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The way to a containerd that may be away, hang or restart at any time. */
export interface Connection extends AsyncDisposable {
  /** True from the end of the first listing until the connection is lost. */
  readonly up: boolean;
  /** The client to call. Throws StoreUnavailableError at once while containerd is away. */
  client(): ContainerdClient;
  /** Tries the connection now, because a call failed. */
  suspect(): void;
}

/** Connects and reconnects until it is disposed. Each attempt has a client of its own, so none waits out another's delays. */
export function createConnection(deps: ConnectionDeps): Connection {
  const { connect, onEvent, onConnected, onProbed, onConnectionChange, clock, logger } = deps;
  const closing = new AbortController();
  let reachable: ContainerdClient | undefined;
  let lastError: unknown;
  let up = false;
  let wakeProbe = new AbortController();

  function setUp(value: boolean): void {
    if (up === value) return;
    up = value;
    onConnectionChange(value);
  }

  async function hold(client: ContainerdClient, signal: AbortSignal, onUp: () => void): Promise<void> {
    const version = await client.version({ signal });
    reachable = client;
    signal.addEventListener('abort', () => wakeProbe.abort(), { once: true });
    const ended = client.subscribe(onEvent, signal);
    const served = async () => {
      await onConnected(client, version);
      signal.throwIfAborted();
      onUp();
      logger.info('connected to containerd', { version });
      for (;;) {
        // The next connection may have begun while this one listed.
        signal.throwIfAborted();
        wakeProbe = new AbortController();
        await clock.sleep(PROBE_INTERVAL_MS, wakeProbe.signal).catch(() => {});
        signal.throwIfAborted();
        await client.version({ signal });
        await onProbed();
      }
    };
    await Promise.race([ended, served()]);
  }

  async function run(): Promise<void> {
    const backoff = createBackoff(RECONNECT);
    let warned = false;
    while (!closing.signal.aborted) {
      const session = new AbortController();
      let client: ContainerdClient | undefined;
      try {
        client = connect();
        await hold(client, AbortSignal.any([closing.signal, session.signal]), () => {
          setUp(true);
          backoff.reset();
          warned = false;
        });
      } catch (error) {
        lastError = error;
        if (!closing.signal.aborted && !warned) {
          warned = true;
          logger.warn('containerd cannot be followed, what it had is still served, trying again', { error });
        }
      } finally {
        session.abort(
          new StoreUnavailableError('The connection to containerd has ended', { cause: lastError }),
        );
        reachable = undefined;
        client?.close();
        setUp(false);
      }
      await clock.sleep(backoff.nextMs(), closing.signal).catch(() => {});
    }
  }

  const running = run();
  return {
    get up() {
      return up;
    },
    client() {
      if (reachable === undefined) {
        throw new StoreUnavailableError('containerd is away', { cause: lastError });
      }
      return reachable;
    },
    suspect: () => wakeProbe.abort(),
    async [Symbol.asyncDispose]() {
      closing.abort(new StoreUnavailableError('The store is closed'));
      await running;
    },
  };
}
