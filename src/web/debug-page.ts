import type { FoundImages } from './images-report.ts';
import { type LiveEvents, mergePeers, mergePulls } from './live-report.ts';
import { PAGE_SCRIPT, PAGE_STYLE } from './page/page-assets.ts';
import { pageShell } from './page/page-shell.ts';

/** What the debug page shows when it is loaded. */
export interface DebugFacts {
  /** What a stream tells at its beginning. */
  readonly live: LiveEvents;
  /** The first images. */
  readonly images: FoundImages;
  /** The time of day, in ms since the epoch. */
  readonly nowMs: number;
  /** The port of other nodes' pages. */
  readonly port: number;
}

/** The page at /debug/web/, as HTML: see pageShell(). It has to be sent with PAGE_POLICY. */
export function debugPage({ live, images, nowMs, port }: DebugFacts): string {
  const { health, traffic, streams, pulls } = live;
  const peers = mergePeers(new Map(), live.peers);
  const ended = mergePulls([], pulls);
  const facts = { nowMs, port, health, traffic, streams, peers, running: pulls.running, ended };
  return pageShell(facts, images, { style: PAGE_STYLE, script: PAGE_SCRIPT });
}
