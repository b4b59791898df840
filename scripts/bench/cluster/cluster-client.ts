/** The HTTP client of the cluster bench: a machine of its own, so that it asks nodes as a containerd beside them would. */
import { serveControl } from './control.ts';
import { epochMs, untilEpochMs } from './epoch-ms.ts';
import type { ClientCommands, HeadResult } from './node-commands.ts';

/** A mirror answers a HEAD within 3 s. */
const TIMEOUT_MS = 5_000;

const [socketPath] = process.argv.slice(2);
if (socketPath === undefined) throw new Error('Give the path of a socket to take commands on');

serveControl<ClientCommands>(socketPath, {
  async heads({ urls, perSecond, budgetMs }) {
    const startMs = epochMs();
    if (perSecond === undefined) {
      const results: HeadResult[] = [];
      for (const url of urls) {
        if (epochMs() - startMs > budgetMs) break;
        results.push(await head(url));
      }
      return results;
    }
    return Promise.all(
      urls.map(async (url, index) => {
        await untilEpochMs(startMs + (index * 1000) / perSecond);
        return head(url);
      }),
    );
  },
});

async function head(url: string): Promise<HeadResult> {
  const startedMs = epochMs();
  const status = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
    (response) => response.status,
    () => 0,
  );
  return { startedMs, tookMs: epochMs() - startedMs, status };
}
