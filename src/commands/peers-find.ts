import { UsageError } from './usage-error.ts';
import { InvalidReferenceError } from '../oci/reference.ts';
import { FIND_PATH, type FindReport, findQuery } from '../routing/peers-report.ts';
import { formatDuration } from '../runtime/duration.ts';
import { askDaemon } from './daemon-client.ts';
import { formatTable } from './format-table.ts';
import { readJsonFields } from './json-fields.ts';
import { lookupKey } from './lookup-key.ts';
import type { PeersOptions } from './peers.ts';

/** Options of runPeersFind. */
export interface PeersFindOptions extends PeersOptions {
  /** An image name or a digest, as a user types it. */
  readonly name: string;
}

/** Longer than a pull waits: a person asks who has it at all, not who is fast. */
const LOOKUP_TIMEOUT_MS = 3000;
/** The daemon answers when the lookup's time is over; this is for its way here. */
const ANSWER_TIMEOUT_MS = LOOKUP_TIMEOUT_MS + 5000;

/** Prints who has an image or a digest. True if anybody has, this node included. Throws UsageError and DaemonError. */
export async function runPeersFind(
  { name, addr, json }: PeersFindOptions,
  { writeOut }: { readonly writeOut: (text: string) => void },
): Promise<boolean> {
  const query = findQuery({ key: keyOf(name), timeoutMs: LOOKUP_TIMEOUT_MS });
  const report = parseFindReport(await askDaemon(addr, `${FIND_PATH}?${query}`, ANSWER_TIMEOUT_MS));
  writeOut(json ? `${JSON.stringify(report, undefined, 2)}\n` : formatFindReport(report));
  return report.local || report.providers.length > 0;
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

function formatFindReport({ key, tookMs, local, providers }: FindReport): string {
  const count = providers.length === 0 ? 'none' : String(providers.length);
  const head = formatTable([
    ['key', key],
    ['this node', local ? 'has it' : 'does not have it'],
    ['peers', `${count}, searched for ${formatDuration(roundMs(tookMs))}`],
  ]);
  if (providers.length === 0) return head;
  const hasZones = providers.some(({ zone }) => zone !== undefined);
  const rows = providers.map(({ id, addresses, tookMs, zone }) => [
    id,
    formatDuration(roundMs(tookMs)),
    ...(hasZones ? [zone ?? '-'] : []),
    addresses.join(' '),
  ]);
  return `${head}\n${formatTable([['PEER', 'FOUND AFTER', ...(hasZones ? ['ZONE'] : []), 'ADDRESSES'], ...rows])}`;
}

function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}
