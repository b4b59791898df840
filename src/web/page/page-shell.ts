import type { FoundImages } from '../images-report.ts';
import { formatHtml } from './format-html.ts';
import { healthView } from './health-view.ts';
import { imagesView } from './images-view.ts';
import { h, type Child, type Markup } from './markup.ts';
import type { PageFacts } from './page-facts.ts';
import { PEER_STATES } from './peer-states.ts';
import { peersView } from './peers-view.ts';
import { pullsView } from './pulls-view.ts';
import { selfName } from './self-name.ts';
import { streamsView } from './streams-view.ts';
import { tilesView } from './tiles-view.ts';

/** Pulls whose blobs are written into the page: enough for a browser that runs no script. */
const OPENABLE_PULLS = 5;
const SECTIONS = [
  ['pulls', 'Pulls'],
  ['streams', 'Streams'],
  ['peers', 'Peers'],
  ['images', 'Images'],
  ['why', 'Why'],
] as const;

/** What the page is made of. */
export interface PageParts {
  readonly style: string;
  readonly script: string;
}

/** The whole page as HTML: it shows the facts without its script, which then keeps them up to date. */
export function pageShell(facts: PageFacts, images: FoundImages, { style, script }: PageParts): string {
  const name = selfName(facts.health);
  const body = h(
    'body',
    {},
    h('a', { class: 'skip', href: '#main' }, 'To the content'),
    header(facts, name),
    h(
      'main',
      { id: 'main', tabindex: -1 },
      h('section', { id: 'health', class: 'card', 'aria-label': 'Health' }, healthView(facts)),
      h('div', { id: 'tiles' }, tilesView(facts)),
      section(
        'pulls',
        'Pulls',
        'of this node’s containerd, newest first',
        undefined,
        pullsView(facts, serverChoice(facts)),
      ),
      section(
        'streams',
        'Streams',
        'which node takes what from which just now',
        undefined,
        streamsView(facts),
      ),
      section(
        'peers',
        'Peers',
        'the other nodes',
        peersControls(),
        peersView(facts, { text: '', state: '', order: 'state', page: 0 }),
      ),
      section('images', 'Images', 'that this node shares', imagesControls(), imagesView(images, new Map())),
      whySection(),
    ),
    footer(facts),
    h('p', { id: 'note', class: 'note', role: 'status' }),
  );
  // Style and script are not data: their policy allows these bytes and no others.
  return `<!doctype html><html lang="en" data-now="${Math.round(facts.nowMs)}" data-port="${facts.port}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">${formatHtml(h('title', {}, `${name} · spegel`))}<style>${style}</style></head>${formatHtml(body).replace(/<\/body>$/, '')}<script type="module">${script}</script></body></html>
`;
}

function serverChoice({ running, ended }: PageFacts) {
  const openable = new Set([...running, ...ended].slice(0, OPENABLE_PULLS));
  return {
    isOpen: () => false,
    hasBlobs: (pull: PageFacts['ended'][number]) => openable.has(pull),
    showsAll: true,
  };
}

function header({ health }: PageFacts, name: string): Markup {
  return h(
    'header',
    { class: 'top' },
    h(
      'div',
      { class: 'top-row' },
      h('span', { class: 'brand', 'aria-hidden': 'true' }, 'spegel'),
      h('h1', { title: health.self.id }, h('span', { class: 'hidden' }, 'spegel on '), name),
      health.self.zone === undefined ? undefined : h('span', { class: 'badge' }, health.self.zone),
      h('p', { id: 'live', class: 'live', role: 'status' }, 'As of the loading of this page'),
    ),
    h(
      'nav',
      { class: 'sections', 'aria-label': 'Sections' },
      SECTIONS.map(([id, title]) => h('a', { href: `#${id}` }, title)),
    ),
  );
}

function section(
  id: string,
  title: string,
  note: string,
  controls: Markup | undefined,
  content: readonly Child[],
): Markup {
  return h(
    'section',
    { id, class: 'card', 'aria-labelledby': `${id}-title` },
    h(
      'div',
      { class: 'card-head' },
      h('h2', { id: `${id}-title` }, title, h('span', { class: 'muted' }, ` ${note}`)),
      controls,
    ),
    h('div', { id: `${id}-body` }, content),
  );
}

function peersControls(): Markup {
  return h(
    'form',
    { class: 'controls js-only', id: 'peers-form', role: 'search', 'aria-label': 'Filter peers' },
    field(
      'Find',
      h('input', {
        type: 'search',
        name: 'text',
        placeholder: 'name, address or zone',
        autocomplete: 'off',
        spellcheck: 'false',
      }),
    ),
    field(
      'State',
      h(
        'select',
        { name: 'state' },
        h('option', { value: '' }, 'all'),
        PEER_STATES.map(({ state, word }) => h('option', { value: state }, word)),
        h('option', { value: 'skipped' }, 'asked last or left alone'),
        h('option', { value: 'other' }, 'not a member'),
      ),
    ),
    field(
      'Order',
      h(
        'select',
        { name: 'order' },
        h('option', { value: 'state' }, 'worst first'),
        h('option', { value: 'name' }, 'name'),
        h('option', { value: 'taken' }, 'most taken'),
        h('option', { value: 'given' }, 'most given'),
        h('option', { value: 'rate' }, 'fastest'),
      ),
    ),
  );
}

function imagesControls(): Markup {
  return h(
    'form',
    { class: 'controls js-only', id: 'images-form', role: 'search', 'aria-label': 'Search images' },
    field(
      'Search',
      h('input', {
        type: 'search',
        name: 'search',
        placeholder: 'a part of the name',
        autocomplete: 'off',
        spellcheck: 'false',
      }),
    ),
  );
}

function whySection(): Markup {
  return h(
    'section',
    { id: 'why', class: 'card', 'aria-labelledby': 'why-title' },
    h(
      'div',
      { class: 'card-head' },
      h(
        'h2',
        { id: 'why-title' },
        'Why',
        h('span', { class: 'muted' }, ' who has this image, and what would happen if it was pulled now'),
      ),
    ),
    h(
      'form',
      { class: 'controls why-form js-only', id: 'why-form' },
      field(
        'Image or digest',
        h('input', {
          type: 'text',
          name: 'name',
          placeholder: 'nginx:1.27 or sha256:…',
          autocomplete: 'off',
          autocapitalize: 'off',
          spellcheck: 'false',
          required: true,
        }),
      ),
      h('button', { type: 'submit', class: 'primary' }, 'Ask'),
    ),
    h(
      'p',
      { class: 'no-js muted' },
      'On the node, ',
      h('code', {}, 'spegel why IMAGE'),
      ' answers the same. The form needs JavaScript.',
    ),
    h('div', { id: 'why-body', 'aria-live': 'polite' }),
  );
}

function field(label: string, input: Markup): Markup {
  return h('label', { class: 'field' }, h('span', {}, label), input);
}

function footer({ health }: PageFacts): Markup {
  return h(
    'footer',
    {},
    h('p', { class: 'muted' }, `spegel ${health.version} · node `, h('code', {}, health.self.id)),
    h(
      'p',
      { class: 'muted' },
      'As JSON: ',
      ['pulls', 'transfers', 'peers', 'images', 'flights'].map((name, n) => [
        n === 0 ? '' : ', ',
        h('a', { href: `/debug/${name}` }, name),
      ]),
      ' · ',
      h('a', { href: '/metrics' }, 'metrics'),
    ),
  );
}
