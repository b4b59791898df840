import { formatSize } from './format-size.ts';
import { hoursChart } from './hours-chart.ts';
import { h, type Child, type Markup } from './markup.ts';
import type { PageFacts } from './page-facts.ts';
import { PEER_STATES } from './peer-states.ts';
import { icon } from './icon.ts';
import { chartHours, sumTraffic } from './traffic-hours.ts';

/** Zones that the tile lists. */
const MAX_ZONES = 4;
const DAY_MS = 86_400_000;

/** Four figures: how much of what containerd asks for the mirror has, where the bytes come from, what is saved, and who the peers are. */
export function tilesView(facts: PageFacts): readonly Markup[] {
  const { traffic, health, nowMs } = facts;
  const sums = sumTraffic(traffic);
  const asked = sums.hits + sums.misses;
  const isYoung = nowMs - Date.parse(health.startedAt) < DAY_MS;
  const span = isYoung ? 'since the start' : 'last 24 hours';
  const saved = sums.peerBytes + sums.localBytes;
  return [
    tile('hits', 'Hit rate', span, [
      h('p', { class: 'figure' }, asked === 0 ? '–' : formatPercent(sums.hits / asked)),
      h(
        'p',
        { class: 'muted' },
        asked === 0
          ? 'containerd has not asked for anything yet.'
          : `${sums.hits} of ${asked} requests of containerd were answered here.`,
      ),
    ]),
    tile('bytes', 'Where bytes came from', span, [
      shareBar([
        ['bar-saved', sums.peerBytes],
        ['bar-local', sums.localBytes],
        ['bar-upstream', sums.upstreamBytes],
      ]),
      h(
        'ul',
        { class: 'legend' },
        legend('bar-saved', 'peers', formatSize(sums.peerBytes)),
        sums.localBytes === 0 ? undefined : legend('bar-local', 'this node', formatSize(sums.localBytes)),
        legend(
          'bar-upstream',
          'registries',
          sums.upstreamBytes === 0 && sums.misses > 0 ? 'not known' : formatSize(sums.upstreamBytes),
        ),
      ),
      h('p', { class: 'muted' }, `Given to other nodes: ${formatSize(sums.givenBytes)}.`),
    ]),
    tile('saved', 'Saved', span, [
      h('p', { class: 'figure' }, formatSize(saved)),
      hoursChart(chartHours(traffic, nowMs)),
      h('p', { class: 'axis muted', 'aria-hidden': 'true' }, h('span', {}, '24 h ago'), h('span', {}, 'now')),
    ]),
    tile('peers', 'Peers', undefined, [peerCounts(facts), zones(facts)]),
  ];
}

function tile(key: string, title: string, note: string | undefined, content: readonly Child[]): Markup {
  return h(
    'section',
    { class: `tile tile-${key}`, 'data-key': key },
    h('h2', {}, title, note === undefined ? undefined : h('span', { class: 'muted' }, ` ${note}`)),
    content,
  );
}

function peerCounts({ health }: PageFacts): Markup {
  const shown = PEER_STATES.filter(({ state }) => state === 'connected' || health.peerCounts[state] > 0);
  return h(
    'ul',
    { class: 'counts' },
    shown.map(({ state, mark, word }) =>
      h('li', { class: `state-${state}` }, icon(mark), h('b', {}, health.peerCounts[state]), ` ${word}`),
    ),
  );
}

function zones({ traffic, health }: PageFacts): Markup {
  const all = traffic.zones;
  if (all.length === 0) {
    return h(
      'p',
      { class: 'muted' },
      health.self.zone === undefined
        ? 'No node says its zone.'
        : `All that is known: this node is in ${health.self.zone}.`,
    );
  }
  const most = Math.max(1, ...all.map(({ bytes }) => bytes));
  const others = all.length - MAX_ZONES;
  return h(
    'ul',
    { class: 'zones' },
    all.slice(0, MAX_ZONES).map(({ zone, isOwn, members, bytes }) =>
      h(
        'li',
        { 'data-key': zone },
        h(
          'span',
          { class: 'zone-name' },
          zone === '' ? 'no zone' : zone,
          isOwn ? h('span', { class: 'muted' }, ' (own)') : undefined,
        ),
        h('span', { class: 'muted num' }, `${members} ${members === 1 ? 'peer' : 'peers'}`),
        h('span', { class: 'num' }, formatSize(bytes)),
        shareBar([
          ['bar-saved', bytes],
          ['bar-none', most - bytes],
        ]),
      ),
    ),
    others > 0
      ? h('li', { class: 'muted', 'data-key': '\u0000more' }, `and ${others} more zones`)
      : undefined,
  );
}

function legend(kind: string, name: string, value: string): Markup {
  return h(
    'li',
    {},
    h('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' }),
    h('span', {}, name),
    h('b', { class: 'num' }, value),
  );
}

/** A bar whose parts are as wide as their numbers; for the eye only. */
export function shareBar(parts: ReadonlyArray<readonly [kind: string, value: number]>): Markup {
  const total = parts.reduce((sum, [, value]) => sum + Math.max(0, value), 0);
  let x = 0;
  return h(
    'svg',
    {
      class: 'share',
      viewBox: '0 0 100 4',
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
      focusable: 'false',
    },
    h('rect', { class: 'bar-none', x: 0, y: 0, width: 100, height: 4 }),
    parts.map(([kind, value]) => {
      const width = total === 0 ? 0 : Math.round((Math.max(0, value) / total) * 1000) / 10;
      const rect = h('rect', { class: kind, x, y: 0, width, height: 4 });
      x = Math.round((x + width) * 10) / 10;
      return width === 0 ? undefined : rect;
    }),
  );
}

/** `87 %`; what is not all is not 100 %, and what is not nothing is not 0 %. */
function formatPercent(share: number): string {
  const percent = share * 100;
  const rounded =
    percent > 99 && percent < 100
      ? '99.9'
      : percent > 0 && percent < 1
        ? percent.toFixed(1)
        : percent.toFixed(0);
  return `${rounded}\u00A0%`;
}
