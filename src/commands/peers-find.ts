import { UsageError } from './usage-error.ts';
import { InvalidReferenceError } from '../oci/reference.ts';
import { FIND_PATH, type FindReport, findQuery } from '../routing/peers-report.ts';
import { formatSpan } from '../terminal/format-age.ts';
import { formatFacts, formatVerdict } from '../terminal/format-facts.ts';
import { formatItems } from '../terminal/format-items.ts';
import type { Look } from '../terminal/look.ts';
import { askDaemon } from './daemon-client.ts';
import { readJsonFields } from './json-fields.ts';
import { lookupKey } from '../oci/lookup-key.ts';
import type { AskOptions } from './peers.ts';
import { PEER_ID_COLUMN, peerIdCell, shortName } from './short-name.ts';
import type { Output } from './question.ts';
import { showOnce } from './show-answer.ts';

/** Options of runPeersFind. */
export interface PeersFindOptions extends AskOptions {
  /** An image name or a digest, as a user types it. */
  readonly name: string;
}

/** Longer than a pull waits: a person asks which nodes have it at all, not which are fast. */
const LOOKUP_TIMEOUT_MS = 3000;
/** The daemon answers when the lookup's time is over; this is for its way here. */
const ANSWER_TIMEOUT_MS = LOOKUP_TIMEOUT_MS + 5000;

/** Prints which nodes have an image or a digest. True if any has, this node included. Throws UsageError and DaemonError. */
export async function runPeersFind({ name, addr, json }: PeersFindOptions, output: Output): Promise<boolean> {
  const query = findQuery({ key: keyOf(name), timeoutMs: LOOKUP_TIMEOUT_MS });
  const ask = async () => parseFindReport(await askDaemon(addr, `${FIND_PATH}?${query}`, ANSWER_TIMEOUT_MS));
  const { local, providers } = await showOnce({ ask, format: formatFindReport, json }, output);
  return local || providers.length > 0;
}

/** The routing key of what a user types. Throws UsageError. */
export function keyOf(name: string): string {
  try {
    return lookupKey(name);
  } catch (error) {
    if (!(error instanceof InvalidReferenceError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

function parseFindReport(answer: unknown): FindReport {
  const fields = readJsonFields(answer);
  return {
    key: fields.text('key'),
    tookMs: fields.number('tookMs'),
    local: fields.flag('local'),
    providers: fields.objects('providers').map((provider) => ({
      id: provider.text('id'),
      addresses: provider.texts('addresses'),
      zone: provider.optionalText('zone'),
      tookMs: provider.number('tookMs'),
    })),
  };
}

function formatFindReport({ key, tookMs, local, providers }: FindReport, look: Look): string {
  const has = local || providers.length > 0;
  const verdict = formatVerdict(
    findVerdict(shortName(key), local, providers.length),
    has ? 'good' : 'bad',
    look,
  );
  const facts = formatFacts(
    [
      ['key', key],
      ['searched', `for ${formatSpan(tookMs)}`],
    ],
    look,
  );
  if (providers.length === 0) return `${verdict}\n${facts}`;
  const hasZones = providers.some(({ zone }) => zone !== undefined);
  const table = formatItems(
    providers,
    [
      { heading: 'ADDRESSES', cell: ({ addresses }) => addresses.join(' ') || '-' },
      { heading: 'FOUND AFTER', cell: ({ tookMs }) => formatSpan(tookMs) },
      hasZones ? { heading: 'ZONE', cell: ({ zone }) => zone ?? '-' } : undefined,
      { ...PEER_ID_COLUMN, heading: 'PEER', cell: ({ id }) => peerIdCell(id) },
    ],
    look,
  );
  return [verdict, facts, table].join('\n');
}

function findVerdict(name: string, local: boolean, peers: number): string {
  if (peers > 0) {
    const have = peers === 1 ? '1 peer has' : `${peers} peers have`;
    return `${have} ${name}, and this node ${local ? 'has it, too' : 'does not have it'}.`;
  }
  return local ? `This node has ${name}, and no peer has it.` : `No node is known to have ${name}.`;
}
