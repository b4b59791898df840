import { createLiveFacts, type LiveFactsDeps } from './live-facts.ts';
import type { LiveEvents } from './live-report.ts';

/** What a stream tells at its beginning, as the browser reads it. */
export async function readLive(deps: LiveFactsDeps): Promise<LiveEvents> {
  const facts = createLiveFacts(deps);
  await facts.refresh();
  const read = <N extends keyof LiveEvents>(name: N): LiveEvents[N] => {
    const news = facts.sections[name].since(0);
    if (news === undefined) throw new Error(`Nothing is told of ${name}`);
    return JSON.parse(news.data) as LiveEvents[N];
  };
  return {
    health: read('health'),
    traffic: read('traffic'),
    peers: read('peers'),
    pulls: read('pulls'),
    streams: read('streams'),
  };
}
