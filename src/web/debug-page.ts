import type { AdvertisedCounts } from '../observe/metrics.ts';
import type { PeerState, SelfState } from '../routing/router.ts';

/** What the debug page shows. */
export interface DebugFacts {
  readonly version: string;
  readonly self: SelfState;
  readonly ready: boolean;
  readonly peers: readonly PeerState[];
  readonly advertised: AdvertisedCounts;
}

const STYLE =
  'body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid #ccc;vertical-align:top}code{font-size:13px}';

/** The page at /debug/web/: this node, what it announces, and its peers. Plain HTML; all values are escaped. */
export function debugPage({ version, self, ready, peers, advertised }: DebugFacts): string {
  const { imageTags, contentDigests } = advertised;
  const registries = [...new Set([...imageTags.keys(), ...contentDigests.keys()])].sort();
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>spegel</title><style>${STYLE}</style></head><body>
<h1>spegel</h1>
<p>Version ${escape(version)}, ${ready ? 'ready' : 'not ready'}.</p>
<h2>This node</h2>
<p><code>${escape(self.id)}</code><br>${self.multiaddrs.map((address) => `<code>${escape(address)}</code>`).join('<br>')}</p>
<h2>Announced</h2>
${table(
  ['Registry', 'Tags', 'Digests'],
  registries.map((registry) => [
    registry === '' ? '(no image names it)' : registry,
    String(imageTags.get(registry) ?? 0),
    String(contentDigests.get(registry) ?? 0),
  ]),
)}
<h2>Peers (${peers.length})</h2>
${table(
  ['ID', 'Addresses', 'State'],
  peers.map(({ id, addresses, connected }) => [id, addresses.join(' '), connected ? 'connected' : 'known']),
)}
</body></html>
`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '<p>None.</p>';
  const cells = (tag: 'th' | 'td', values: readonly string[]) =>
    `<tr>${values.map((value) => `<${tag}>${escape(value)}</${tag}>`).join('')}</tr>`;
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`;
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
