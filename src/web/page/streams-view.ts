import { digestText, shortDigest } from './digest-text.ts';
import { formatSize } from './format-size.ts';
import { imageName } from './image-name.ts';
import { layOutTree, type TreeRow } from './lay-out-tree.ts';
import { h, type Markup } from './markup.ts';
import type { PageFacts } from './page-facts.ts';
import { readStreams, type Stream, type StreamNode, type StreamPart } from './read-streams.ts';

/** Trees that are drawn; more would be scrolled past. */
const MAX_TREES = 6;
/** Nodes of a tree that are drawn. */
const MAX_ROWS = 40;
const STEP = 18;
const ROW = 34;
const MIDDLE = ROW / 2;

const NOTHING =
  'Nothing is streamed just now, as far as this node knows. When several nodes want the same image at once, it shows here which takes it from which.';

/** What each node does, in words. */
const WORDS: Readonly<Record<StreamPart, string>> = {
  registry: '',
  root: 'downloads it',
  child: 'receives it',
  waiting: 'waits for its first byte',
  holder: 'has all of it',
};

/** Which node streams from which just now: a tree for each piece of content, and what was over in the last minute. */
export function streamsView(facts: PageFacts): readonly Markup[] {
  if (facts.streams.flights === undefined) {
    return [
      h(
        'p',
        { class: 'empty' },
        'Flights are off on this node (--flights-enabled=false): it takes from nodes what they have already.',
      ),
    ];
  }
  const streams = readStreams(facts);
  const active = streams.filter(({ isOver }) => !isOver);
  const over = streams.filter(({ isOver }) => isOver);
  return [
    h('p', { class: active.length === 0 ? 'empty' : 'lead', 'data-key': 'lead' }, leadText(active)),
    active.length === 0
      ? ''
      : h('div', { class: 'trees', 'data-key': 'trees' }, active.slice(0, MAX_TREES).map(treeView)),
    active.length > MAX_TREES
      ? h('p', { class: 'muted', 'data-key': 'more' }, `and ${active.length - MAX_TREES} more`)
      : '',
    over.length === 0 ? '' : overView(over),
  ];
}

function leadText(active: readonly Stream[]): string {
  if (active.length === 0) return NOTHING;
  const nodes = new Set(
    active.flatMap((stream) => stream.nodes.filter(({ part }) => part !== 'registry').map(({ id }) => id)),
  );
  const pieces = active.length === 1 ? 'One piece of content is' : `${active.length} pieces of content are`;
  const roots = active.filter((stream) => stream.nodes.some(({ part }) => part === 'registry')).length;
  return `${pieces} on the way among ${nodes.size} ${nodes.size === 1 ? 'node' : 'nodes'}${registryText(roots, active.length)}.`;
}

function registryText(roots: number, count: number): string {
  if (roots === 0) return '';
  if (roots === count) return `; ${count === 1 ? 'it' : 'each'} comes from the registry once`;
  return `; ${roots} of them ${roots === 1 ? 'comes' : 'come'} from the registry, once each`;
}

function treeView(stream: Stream): Markup {
  const { digest, image, kind, sizeBytes, nodes, isPart } = stream;
  const rows = layOutTree(nodes);
  const shown = rows.slice(0, MAX_ROWS);
  const columns = Math.max(0, ...shown.map(({ column }) => column)) + 1;
  const waiting = nodes.filter(({ part }) => part === 'waiting').length;
  return h(
    'article',
    { class: 'tree', 'data-key': digest },
    h('h3', {}, image === undefined ? h('b', {}, kind) : imageName(image)),
    h(
      'p',
      { class: 'muted tree-meta' },
      image === undefined ? undefined : h('span', {}, kind),
      digestText(digest),
      sizeBytes === undefined ? undefined : h('span', { class: 'num' }, formatSize(sizeBytes)),
      waiting === 0 ? undefined : h('span', {}, `${waiting} waiting`),
    ),
    h(
      'ol',
      { class: 'tree-rows', 'aria-label': `Which node takes ${kind} ${shortDigest(digest)} from which` },
      shown.map((row) => rowView(row, { stream, columns })),
    ),
    rows.length > shown.length
      ? h('p', { class: 'muted' }, `and ${rows.length - shown.length} more nodes`)
      : undefined,
    isPart ? partText(stream) : undefined,
  );
}

function partText({ whole }: Stream): Markup {
  const text = 'This node knows a part of the tree only.';
  if (whole === undefined) return h('p', { class: 'muted' }, text);
  const link = h('a', { href: whole.url, rel: 'noreferrer' }, `the page of ${whole.name}`);
  return h('p', { class: 'muted' }, text, ' The whole: ', link);
}

function rowView(
  row: TreeRow<StreamNode>,
  { stream, columns }: { readonly stream: Stream; readonly columns: number },
): Markup {
  const { node } = row;
  const { part, name, isSelf, parent, readers, writtenBytes } = node;
  const from = stream.nodes.find(({ id }) => id === parent)?.name;
  const share =
    writtenBytes === undefined || stream.sizeBytes === undefined || stream.sizeBytes === 0
      ? undefined
      : `${Math.min(100, Math.floor((writtenBytes / stream.sizeBytes) * 100))}\u00A0%`;
  return h(
    'li',
    { 'data-key': node.id, class: `tree-row part-${part}` },
    rail(row, columns),
    h(
      'span',
      { class: 'tree-node' },
      h('b', {}, name),
      isSelf
        ? h('span', { class: 'badge' }, share === undefined ? 'this node' : `this node, ${share}`)
        : undefined,
      h('span', { class: 'muted tree-words' }, wordsOf(part, readers)),
      from === undefined || part === 'holder' ? undefined : h('span', { class: 'hidden' }, `, from ${from}`),
    ),
  );
}

function wordsOf(part: StreamPart, readers: number): string {
  const given = readers === 0 ? '' : `, and gives it to ${readers} ${readers === 1 ? 'node' : 'nodes'}`;
  return `${WORDS[part]}${given}`;
}

/** The lines beside a node, and its mark, whose shape says what it does. A line moves where its lower end receives bytes. */
function rail({ node, column, from, next, passing }: TreeRow<StreamNode>, columns: number): Markup {
  const x = (at: number) => at * STEP + STEP / 2;
  const line = (to: StreamNode, d: string) =>
    h('path', { class: to.part === 'child' || to.part === 'root' ? 'rail-line flows' : 'rail-line', d });
  return h(
    'svg',
    {
      class: 'rail',
      width: columns * STEP,
      height: ROW,
      viewBox: `0 0 ${columns * STEP} ${ROW}`,
      'aria-hidden': 'true',
      focusable: 'false',
    },
    passing.map((each) => line(each.to, `M${x(each.column)} 0V${ROW}`)),
    from === undefined
      ? undefined
      : line(
          node,
          from === column
            ? `M${x(column)} 0V${MIDDLE}`
            : `M${x(from)} 0C${x(from)} ${MIDDLE} ${x(from)} ${MIDDLE} ${x(column)} ${MIDDLE}`,
        ),
    next === undefined ? undefined : line(next, `M${x(column)} ${MIDDLE}V${ROW}`),
    markOf(node.part, x(column)),
  );
}

function markOf(part: StreamPart, x: number): Markup {
  const y = MIDDLE;
  if (part === 'registry') {
    return h('path', { class: 'rail-mark', d: `M${x - 6} ${y - 4}h12v8h-12zM${x - 6} ${y}h12` });
  }
  if (part === 'root') return h('path', { class: 'rail-mark', d: `M${x - 6} ${y - 5}h12l-6 10.5z` });
  if (part === 'holder') {
    return h('rect', { class: 'rail-mark', x: x - 5, y: y - 5, width: 10, height: 10, rx: 2 });
  }
  return h('circle', { class: 'rail-mark', cx: x, cy: y, r: 5 });
}

/** What was over in the last minute, one line each. */
function overView(over: readonly Stream[]): Markup {
  const shown = over.slice(0, MAX_TREES);
  return h(
    'details',
    { class: 'over', 'data-key': 'over' },
    h(
      'summary',
      {},
      `Over in the last minute: ${over.length} ${over.length === 1 ? 'piece' : 'pieces'} of content`,
    ),
    h(
      'ul',
      {},
      shown.map(({ digest, image, kind, nodes }) =>
        h(
          'li',
          { 'data-key': digest },
          image === undefined ? undefined : imageName(image),
          h('span', { class: 'muted' }, ` ${kind} `),
          digestText(digest),
          ` on ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`,
        ),
      ),
    ),
    over.length > shown.length
      ? h('p', { class: 'muted' }, `and ${over.length - shown.length} more`)
      : undefined,
  );
}
