import type { LiveEvents } from '../../live-report.ts';
import { formatSpan } from '../format-age.ts';
import { healthView } from '../health-view.ts';
import type { Markup } from '../markup.ts';
import type { PageFacts } from '../page-facts.ts';
import { peersView } from '../peers-view.ts';
import { pullsView } from '../pulls-view.ts';
import type { PeersChoice } from '../select-peers.ts';
import { streamsView } from '../streams-view.ts';
import { tilesView } from '../tiles-view.ts';
import { copyText } from './copy-text.ts';
import { elementOf, fieldText, formOf } from './element-of.ts';
import { createImagesPart } from './images-part.ts';
import { createLiveFacts } from './live-facts.ts';
import { openLive } from './open-live.ts';
import { patchChildren } from './patch-markup.ts';
import { say } from './say.ts';
import { testMirror } from './test-mirror.ts';
import { createWhyPart } from './why-part.ts';

/** What is drawn again when something was told. */
const DRAWN_AFTER: Readonly<Record<keyof LiveEvents, readonly Part[]>> = {
  health: ['health', 'tiles'],
  traffic: ['tiles'],
  peers: ['health', 'peers', 'pulls', 'streams'],
  pulls: ['pulls'],
  streams: ['streams', 'pulls'],
};
type Part = 'health' | 'tiles' | 'pulls' | 'streams' | 'peers';

const root = document.documentElement;
/** The node's clock less this one's, in ms. */
const offsetMs = Number(root.dataset['now'] ?? Date.now()) - Date.now();
const port = Number(root.dataset['port']);
const nowMs = () => Date.now() + offsetMs;

const facts = createLiveFacts();
const openPulls = new Set<number>();
let showsAllPulls = false;
let peersChoice: PeersChoice = { text: '', state: '', order: 'state', page: 0 };
let lostMs: number | undefined;
let lastMs = Date.now();

/** A stream that is opened again sooner has ended as streams do. */
const LOST_MS = 5000;

root.classList.add('has-js');

const views: Readonly<
  Record<Part, { readonly target: string; readonly draw: (facts: PageFacts) => readonly Markup[] }>
> = {
  health: {
    target: 'health',
    draw: (now) => {
      const isLost = lostMs !== undefined && Date.now() - lostMs >= LOST_MS;
      return healthView({ ...now, isLost });
    },
  },
  tiles: { target: 'tiles', draw: tilesView },
  pulls: {
    target: 'pulls-body',
    draw: (now) => {
      const isOpen = ({ id }: { readonly id: number }) => openPulls.has(id);
      return pullsView(now, { isOpen, hasBlobs: isOpen, showsAll: showsAllPulls });
    },
  },
  streams: { target: 'streams-body', draw: streamsView },
  peers: { target: 'peers-body', draw: (now) => peersView(now, peersChoice) },
};

const waiting = new Set<Part>();

/** Draws parts with the next picture of the screen: what comes in between is drawn together. */
function draw(...parts: readonly Part[]): void {
  if (waiting.size === 0) requestAnimationFrame(drawWaiting);
  for (const part of parts) waiting.add(part);
}

function drawWaiting(): void {
  const parts = [...waiting];
  waiting.clear();
  const now = facts.now(nowMs(), port);
  if (now === undefined) return;
  for (const part of parts) {
    const { target, draw } = views[part];
    patchChildren(elementOf(target), draw(now));
  }
}

const images = createImagesPart();
const why = createWhyPart(() => facts.now(nowMs(), port));

openLive({
  onOpen() {
    lostMs = undefined;
    facts.opened();
    showState();
    draw('health');
  },
  onEvent(name, event) {
    lastMs = Date.now();
    facts.take(name, event);
    draw(...DRAWN_AFTER[name]);
  },
  onLost() {
    lostMs ??= Date.now();
    showState();
  },
});

/** Whether the page is live; and when it is not, how old is what it shows. */
function showState(): void {
  const live = elementOf('live');
  live.classList.toggle('is-live', lostMs === undefined);
  live.classList.toggle('is-lost', lostMs !== undefined);
  const text = lostMs === undefined ? 'Live' : 'Connection lost, trying again.';
  const state = lostMs === undefined ? '' : ` What is shown is ${formatSpan(Date.now() - lastMs)} old.`;
  patchChildren(live, [
    { name: 'span', attributes: {}, children: [text] },
    // Not told again and again to those who listen.
    { name: 'span', attributes: { 'aria-hidden': 'true' }, children: state === '' ? [] : [state] },
  ]);
}

setInterval(() => {
  if (document.hidden) return;
  const now = nowMs();
  for (const time of document.querySelectorAll<HTMLElement>('time[data-since]')) {
    const text = formatSpan(now - Number(time.dataset['since']));
    if (time.textContent !== text) time.textContent = text;
  }
  if (lostMs === undefined) return;
  showState();
  draw('health');
}, 1000);

document.addEventListener('click', (event) => {
  if (!(event.target instanceof Element)) return;
  const button = event.target.closest<HTMLElement>('button');
  if (button === null) return;
  if (button.dataset['copy'] !== undefined) {
    // A button in a summary does not open the row.
    event.preventDefault();
    void copyText(button.dataset['copy']);
  } else if (button.dataset['why'] !== undefined) {
    event.preventDefault();
    why.ask(button.dataset['why']);
  } else if (button.dataset['action'] === 'canary') {
    void testMirror().then(say);
  } else if (button.dataset['action'] === 'all-pulls') {
    showsAllPulls = !showsAllPulls;
    draw('pulls');
  } else if (button.dataset['action'] === 'peers-page') {
    peersChoice = { ...peersChoice, page: Number(button.dataset['page']) };
    draw('peers');
  } else if (button.dataset['action'] === 'images-page') {
    images.showPage(Number(button.dataset['page']));
  }
});

// Such events do not bubble.
document.addEventListener(
  'toggle',
  (event) => {
    if (!(event.target instanceof HTMLDetailsElement)) return;
    const { pull } = event.target.dataset;
    if (pull === undefined) return;
    if (event.target.open) openPulls.add(Number(pull));
    else openPulls.delete(Number(pull));
    draw('pulls');
  },
  true,
);
// Opened before this program ran.
for (const row of document.querySelectorAll<HTMLDetailsElement>('details[data-pull][open]')) {
  openPulls.add(Number(row.dataset['pull']));
}

const peersForm = formOf('peers-form');
peersForm.addEventListener('submit', (event) => event.preventDefault());
peersForm.addEventListener('input', () => {
  const text = (name: string) => fieldText(peersForm, name);
  peersChoice = { text: text('text'), state: text('state'), order: text('order'), page: 0 };
  draw('peers');
});
