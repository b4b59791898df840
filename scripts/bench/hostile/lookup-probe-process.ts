/** Asks a node's mirror by HEAD as its containerd would: started with the path of its control socket. */
import { setTimeout as sleep } from 'node:timers/promises';
import { serveControl } from '../cluster/control.ts';
import type { LookupProbeCommands } from './player-commands.ts';

/** A mirror answers within 3 s, in ms. */
const TIMEOUT_MS = 10_000;

let tookMs: number[] = [];
let failures: Record<string, number> = {};
let running: Promise<void> | undefined;
const state = { isStopped: false };

const [socketPath = ''] = process.argv.slice(2);
serveControl<LookupProbeCommands>(socketPath, {
  async start({ urls, pauseMs }) {
    [tookMs, failures, state.isStopped] = [[], {}, false];
    running = ask(urls, pauseMs);
  },
  async stop() {
    state.isStopped = true;
    await running;
    return { tookMs, failures };
  },
});

async function ask(urls: readonly string[], pauseMs: number): Promise<void> {
  for (let n = 0; !state.isStopped; n++) {
    const url = urls[n % urls.length];
    if (url === undefined) return;
    const startedMs = performance.now();
    const outcome = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
      ({ status }) => String(status),
      (error: unknown) => (error instanceof DOMException ? 'late' : 'reset'),
    );
    // Asked to stop while the node was long gone or busy: that one is not counted.
    if (state.isStopped && outcome !== '200') return;
    if (outcome === '200') tookMs.push(performance.now() - startedMs);
    else failures[outcome] = (failures[outcome] ?? 0) + 1;
    await sleep(pauseMs);
  }
}
