import { IMAGES_PATH } from '../../images-report.ts';
import { LIVE_PATH, type LiveEvents } from '../../live-report.ts';

/** What is told of the stream. */
export interface LiveListener {
  /** A stream has begun: what was told before does not count any more. */
  readonly onOpen: () => void;
  readonly onEvent: <N extends keyof LiveEvents>(name: N, event: LiveEvents[N]) => void;
  /** The stream has ended, and is being opened again. */
  readonly onLost: () => void;
}

/** Between tries where the browser itself does not try again: the node answered, but not with a stream (503: it has enough of them). */
const RETRY_MS = 5000;
/** After so long without an event the node is asked for something small: browsers do not notice a node that has stopped. */
const SILENCE_MS = 20_000;
const PROBE_TIMEOUT_MS = 5000;
const NAMES: ReadonlyArray<keyof LiveEvents> = ['health', 'traffic', 'peers', 'pulls', 'streams'];

/** Opens the stream of events, and opens it again whenever it ends. */
export function openLive(listener: LiveListener): void {
  const source = new EventSource(LIVE_PATH);
  const over = new AbortController();
  let lastMs = performance.now();
  const reopen = (afterMs: number) => {
    over.abort();
    source.close();
    listener.onLost();
    setTimeout(() => openLive(listener), afterMs);
  };
  for (const name of NAMES) {
    source.addEventListener(name, (message: MessageEvent<string>) => {
      lastMs = performance.now();
      listener.onEvent(name, JSON.parse(message.data) as LiveEvents[typeof name]);
    });
  }
  source.addEventListener('open', () => {
    lastMs = performance.now();
    listener.onOpen();
  });
  source.addEventListener('error', () => {
    // Else the browser opens it again by itself.
    if (source.readyState === EventSource.CLOSED) reopen(RETRY_MS);
    else listener.onLost();
  });
  const timer = setInterval(() => {
    if (source.readyState !== EventSource.OPEN || performance.now() - lastMs < SILENCE_MS) return;
    lastMs = performance.now();
    void answers().then((isThere) => {
      if (!isThere && !over.signal.aborted) reopen(0);
    });
  }, PROBE_TIMEOUT_MS);
  over.signal.addEventListener('abort', () => clearInterval(timer));
}

async function answers(): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    return (await fetch(`${IMAGES_PATH}?limit=1`, { signal })).ok;
  } catch {
    return false;
  }
}
