import type { PlainAnswer } from '../http/http-server.ts';
import { shareResult } from '../runtime/share-result.ts';
import type { Tag } from '../store/content-store.ts';
import { debugPage } from './debug-page.ts';
import type { LiveFactsDeps } from './live-facts.ts';
import { IMAGES_PER_PAGE } from './page/images-view.ts';
import { PAGE_POLICY } from './page/page-assets.ts';
import { readLive } from './read-live.ts';
import { searchImages } from './search-images.ts';

/** Where the metrics listener has the debug page. */
export const PAGE_PATH = '/debug/web/';

/** What createPageAnswer needs. */
export interface PageAnswerDeps {
  readonly live: LiveFactsDeps;
  readonly advertisedTags: () => readonly Tag[];
  /** Where other nodes are taken to have their page: the port of --metrics-addr, which is the same on all nodes. */
  readonly metricsPort: number;
}

/**
 * Makes what answers with the debug page. Writing a page takes tens of milliseconds in which the node does nothing else, and half a
 * megabyte, so those who ask at about the same time get the same bytes.
 */
export function createPageAnswer({
  live,
  advertisedTags,
  metricsPort,
}: PageAnswerDeps): () => Promise<PlainAnswer> {
  const headers = {
    'content-type': 'text/html; charset=UTF-8',
    'content-security-policy': PAGE_POLICY,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  };
  return shareResult(live.clock, async () => {
    const page = debugPage({
      live: await readLive(live),
      images: searchImages(advertisedTags(), { search: '', offset: 0, limit: IMAGES_PER_PAGE }),
      nowMs: live.wallClockMs(),
      port: metricsPort,
    });
    return { status: 200, headers, body: Buffer.from(page) };
  });
}
