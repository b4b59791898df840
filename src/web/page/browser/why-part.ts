import { isDigest } from '../../../oci/digest.ts';
import { lookupName } from '../../../oci/lookup-key.ts';
import { WHY_PATH, type WhyReport } from '../../../routing/why-report.ts';
import { h } from '../markup.ts';
import { createNames } from '../names.ts';
import type { PageFacts } from '../page-facts.ts';
import { type Downloads, whyView } from '../why-view.ts';
import { ask } from './ask.ts';
import { elementOf, fieldText, formOf } from './element-of.ts';
import { patchChildren } from './patch-markup.ts';

/** The part of the page that answers who has an image. */
export interface WhyPart {
  /** Fills in the form and asks. */
  ask(name: string): void;
}

/** The node gives up after 20 s. */
const TIMEOUT_MS = 25_000;

/** Watches the form. `facts`: what is known now, for the names of nodes and for what is being downloaded. */
export function createWhyPart(facts: () => PageFacts | undefined): WhyPart {
  const form = formOf('why-form');
  const body = elementOf('why-body');
  const input = form.querySelector('input');
  let running = new AbortController();

  const say = (text: string, isProblem: boolean) =>
    patchChildren(body, [
      h('p', { class: isProblem ? 'problem-text' : 'muted', role: isProblem ? 'alert' : undefined }, text),
    ]);

  async function start(): Promise<void> {
    running.abort();
    running = new AbortController();
    const name = fieldText(form, 'name').trim();
    if (name === '') return;
    let question: ReturnType<typeof lookupName>;
    try {
      question = lookupName(name);
    } catch (error) {
      say(error instanceof Error ? `${error.message}.` : String(error), true);
      return;
    }
    say(`Asking who has ${name} …`, false);
    const { key, image } = question;
    const answer = await ask<WhyReport>(WHY_PATH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(isDigest(key) && image !== undefined ? { key, name: image } : { key }),
      signal: AbortSignal.any([running.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if ('problem' in answer) {
      const wait = answer.retryMs === undefined ? '' : ` Try again in ${Math.ceil(answer.retryMs / 1000)} s.`;
      say(`There is no answer: ${answer.problem}.${wait}`, true);
      return;
    }
    const now = facts();
    const names =
      now === undefined
        ? { ofPeer: (id: string) => id, ofAddress: (address: string) => address }
        : createNames(now);
    patchChildren(body, whyView(answer.value, { names, downloads: downloadsOf(now) }));
  }

  const run = () => {
    start().catch((error: unknown) => {
      if (!(error instanceof DOMException)) throw error;
      if (error.name === 'TimeoutError') say('There is no answer: the node takes too long.', true);
    });
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    run();
  });

  return {
    ask(name) {
      if (input !== null) input.value = name;
      elementOf('why').scrollIntoView({ block: 'start' });
      input?.focus({ preventScroll: true });
      run();
    },
  };
}

/** What is being downloaded, from what the stream tells. */
function downloadsOf(facts: PageFacts | undefined): Downloads {
  const flights = facts?.streams.flights;
  if (facts === undefined || flights === undefined) return () => undefined;
  const names = createNames(facts);
  return (digest) => {
    const isOwn = flights.downloads.some(
      (download) => download.digest === digest && download.role === 'root',
    );
    const tree = flights.flights.find((flight) => flight.digest === digest);
    const others = (tree?.nodes ?? []).filter(({ id, role }) => role === 'root' && id !== flights.self);
    return isOwn || others.length > 0
      ? { isOwn, others: others.map(({ id }) => names.ofPeer(id)) }
      : undefined;
  };
}
