import { createLiveFacts, type LiveFactsDeps } from './live-facts.ts';
import type { LiveEvents } from './live-report.ts';

/** What a stream tells at its beginning, as a browser reads it. */
export async function readLive(deps: LiveFactsDeps): Promise<LiveEvents> {
  const facts = createLiveFacts(deps);
  await facts.refresh();
  const events = facts.sources.map((source) => {
    const text = Buffer.from(source.since(0)?.event ?? []).toString();
    const [, name = '', data = 'null'] = /^event: (.*)\ndata: (.*)\n\n$/s.exec(text) ?? [];
    return [name, JSON.parse(data)] as const;
  });
  return Object.fromEntries(events) as unknown as LiveEvents;
}
