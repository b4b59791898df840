import { isDigest } from '../oci/digest.ts';
import { InvalidReferenceError } from '../oci/reference.ts';
import {
  type WhyContent,
  type WhyOutcome,
  type WhyReport,
  WHY_PATH,
  whyQuery,
} from '../routing/why-report.ts';
import type { Look } from '../terminal/look.ts';
import { askForFlights, askTowers } from './ask-flights.ts';
import { askDaemon } from './daemon-client.ts';
import { DaemonError } from './daemon-error.ts';
import { formatWhy } from './format-why.ts';
import { isNowhere, type WhyAnswer, type WhyDownload, type WhyView } from './why-answer.ts';
import { type JsonFields, readJsonFields } from './json-fields.ts';
import { lookupName } from '../oci/lookup-key.ts';
import { type AskOptions, parseCondition } from './peers.ts';
import type { Output } from './question.ts';
import { showOnce } from './show-answer.ts';
import { UsageError } from './usage-error.ts';

/** Options of runWhy. */
export interface WhyOptions extends AskOptions {
  /** An image name or a digest, as a user types it. */
  readonly name: string;
}

/** The daemon gives up after 20 s; this is for its way here. */
const ANSWER_TIMEOUT_MS = 25_000;
/** What flights say is in memory. */
const FLIGHTS_TIMEOUT_MS = 5000;
/** Digests whose downloads are looked for, if no node has them: containerd takes three layers at a time. */
const MAX_DOWNLOADS = 16;

/** Prints why the running spegel serves an image or a digest, or does not. True if it would. Throws UsageError and DaemonError. */
export async function runWhy({ name, addr, json }: WhyOptions, output: Output): Promise<boolean> {
  const parsed = parseName(name);
  const ask = async () => explain(addr, parsed);
  const format = (answer: WhyAnswer, look: Look) => formatWhy(answer, name, look);
  return (await showOnce({ ask, format, json }, output)).canServe;
}

async function explain(addr: string, { key, image }: ReturnType<typeof lookupName>): Promise<WhyAnswer> {
  const query = whyQuery({ key, name: isDigest(key) ? image : undefined });
  const absent = `What answers at ${addr} explains nothing: spegel there must not have --debug-web-enabled=false, and --addr has to be its --metrics-addr`;
  const report = parseWhyReport(await askDaemon(addr, `${WHY_PATH}?${query}`, ANSWER_TIMEOUT_MS, { absent }));
  let downloads = 0;
  const contents = await Promise.all(
    report.contents.map(async (content): Promise<WhyView> => {
      const isMissing = content.outcome.how === 'missing' && content.outcome.reason !== 'filter';
      if (!isMissing || !isDigest(content.key) || ++downloads > MAX_DOWNLOADS) return content;
      return { ...content, download: await findDownload(addr, content.key) };
    }),
  );
  return { ...report, contents, canServe: contents.every((content) => !isNowhere(content)) };
}

function parseName(name: string): ReturnType<typeof lookupName> {
  try {
    return lookupName(name);
  } catch (error) {
    if (!(error instanceof InvalidReferenceError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** The download of a digest; undefined if there is none, or flights are off. */
async function findDownload(addr: string, digest: string): Promise<WhyDownload | undefined> {
  try {
    const own = await askForFlights(addr, digest, FLIGHTS_TIMEOUT_MS);
    const isOwn = own.downloads.some(({ role }) => role === 'root');
    const look = await askTowers(addr, own, { digest, towers: own.towers ?? [] });
    const nodes = 'nodes' in look ? look.nodes : [];
    const others = nodes.filter(({ id, role }) => role === 'root' && id !== own.self);
    if (!isOwn && others.length === 0) return undefined;
    return { isOwn, others: others.map(({ id, addresses }) => addresses[0] ?? id) };
  } catch (error) {
    if (error instanceof DaemonError) return undefined;
    throw error;
  }
}

const KINDS = ['tag', 'index', 'manifest', 'config', 'layer', 'content'] as const;
const WAYS = ['local', 'peer', 'missing'] as const;

/** Reads the answer of GET /debug/why; throws DaemonError. */
function parseWhyReport(answer: unknown): WhyReport {
  const fields = readJsonFields(answer);
  return {
    key: fields.text('key'),
    registry: fields.optionalText('registry'),
    repository: fields.optionalText('repository'),
    isReady: fields.flag('isReady'),
    isStoreConnected: fields.flag('isStoreConnected'),
    isMirrored: fields.optionalFlag('isMirrored'),
    filters: fields.texts('filters'),
    resolveTimeoutMs: fields.number('resolveTimeoutMs'),
    contents: fields.objects('contents').map(parseContent),
    omitted: fields.number('omitted'),
    problem: fields.optionalText('problem'),
  };
}

function parseContent(content: JsonFields): WhyContent {
  return {
    kind: choice(content.text('kind'), KINDS),
    key: content.text('key'),
    digest: content.optionalText('digest'),
    sizeBytes: content.optionalNumber('sizeBytes'),
    isHere: content.flag('isHere'),
    peers: content.objects('peers').map((peer) => {
      const state = peer.optionalText('state');
      return {
        id: peer.text('id'),
        addresses: peer.texts('addresses'),
        tookMs: peer.number('tookMs'),
        state: state === undefined ? undefined : parseCondition(state),
        order: peer.text('order'),
        why: peer.optionalText('why'),
        bytesPerSecond: peer.optionalNumber('bytesPerSecond'),
        said: peer.optionalText('said'),
      };
    }),
    outcome: parseOutcome(content.object('outcome')),
  };
}

function parseOutcome(outcome: JsonFields): WhyOutcome {
  return {
    how: choice(outcome.text('how'), WAYS),
    status: outcome.number('status') === 200 ? 200 : 404,
    from: outcome.optionalText('from'),
    reason: outcome.optionalText('reason') as WhyOutcome['reason'],
  };
}

function choice<C extends string>(text: string, choices: readonly C[]): C {
  const found = choices.find((each) => each === text);
  if (found !== undefined) return found;
  throw new DaemonError(`Cannot read what spegel answered: "${text}" is not known; is it another version?`);
}
