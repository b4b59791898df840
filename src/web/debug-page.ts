import type { LoggedTransfer, TransferFlight } from '../observe/transfer-log.ts';
import { formatName } from '../oci/reference.ts';
import { routingKey } from '../oci/routing-key.ts';
import { countPeers, formatPeerCounts } from '../routing/peer-counts.ts';
import type { PeerState, SelfState } from '../routing/router.ts';
import { formatDuration } from '../runtime/duration.ts';
import { escapeHtml, htmlTable } from './html.ts';
import type { SharedImages } from './shared-images.ts';

/** What the debug page shows. */
export interface DebugFacts {
  readonly version: string;
  readonly self: SelfState;
  readonly ready: boolean;
  readonly peers: readonly PeerState[];
  readonly images: SharedImages;
  /** Newest first. */
  readonly transfers: readonly LoggedTransfer[];
}

const STYLE =
  'body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:90em;padding:0 1em}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid #ccc;vertical-align:top;overflow-wrap:anywhere}code{font-size:13px}';

/** Nothing on the page comes from elsewhere, nothing runs, nothing can be sent; only its own style applies. */
export const DEBUG_PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${new Bun.CryptoHasher('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page at /debug/web/: this node, its peers, what it announces, and the last transfers. Plain HTML; all values are escaped. */
export function debugPage({ version, self, ready, peers, images, transfers }: DebugFacts): string {
  const { registries, tags, tagCount } = images;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>spegel</title><style>${STYLE}</style></head><body>
<h1>spegel</h1>
<p>Version ${escapeHtml(version)}, ${ready ? 'ready' : 'not ready'}.</p>
<h2>This node</h2>
<p><code>${escapeHtml(self.id)}</code><br>${self.multiaddrs.map((address) => `<code>${escapeHtml(address)}</code>`).join('<br>')}</p>
<h2>Last transfers (${transfers.length})</h2>
${htmlTable(['Time (UTC)', 'What', 'For', 'From', 'Bytes', 'Took', 'Outcome', 'Flight'], transfers.map(transferRow))}
<h2>Peers (${formatPeerCounts(countPeers(peers))})</h2>
${htmlTable(
  ['ID', 'Addresses', 'State', 'For', 'Member'],
  peers.map(({ id, addresses, state, inStateMs, isMember }) => [
    id,
    addresses.join(' '),
    state,
    inStateMs === undefined ? '' : formatDuration(Math.round(inStateMs / 1000) * 1000),
    isMember ? 'yes' : 'no',
  ]),
)}
<h2>Announced</h2>
${htmlTable(
  ['Registry', 'Tags', 'Image digests', 'Digests in all'],
  registries.map(({ registry, ...counts }) => [
    registry === '' ? '(no image names it)' : registry,
    String(counts.tags),
    String(counts.imageDigests),
    String(counts.contentDigests),
  ]),
)}
<h2>Images (${tags.length < tagCount ? `the first ${tags.length} of ${tagCount}` : tagCount})</h2>
${htmlTable(
  ['Tag', 'Digest'],
  tags.map(({ registry, repository, tag, digest }) => [routingKey({ registry, repository, tag }), digest]),
)}
</body></html>
`;
}

function transferRow(transfer: LoggedTransfer): readonly string[] {
  const { startedAtMs, kind, forwarded, sources, flight, movedBytes, durationMs, outcome } = transfer;
  const from = sources.map(({ origin, ended }) => (ended === 'complete' ? origin : `${origin} (${ended})`));
  return [
    new Date(startedAtMs).toISOString().replace('T', ' ').replace('Z', ''),
    `${kind} ${formatName(transfer)}`,
    forwarded ? 'another node' : 'this node',
    from.join(', then '),
    String(movedBytes),
    formatDuration(Math.round(durationMs)),
    outcome,
    flight === undefined ? '' : flightText(flight),
  ];
}

/** Such as `child of 10.0.0.2, held 1.2s`. */
function flightText({ role, parent, heldMs, aside }: TransferFlight): string {
  const from = parent === undefined ? '' : ` of ${parent.origin}`;
  return [
    ...(role === undefined
      ? []
      : [role === 'holder' && parent !== undefined ? `had by ${parent.origin}` : `${role}${from}`]),
    ...(aside === undefined ? [] : [`stepped aside (${aside})`]),
    `held ${formatDuration(heldMs)}`,
  ].join(', ');
}
