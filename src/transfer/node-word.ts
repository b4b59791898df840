import type { PeerAnswer } from '../http/transport.ts';
import type { PeerNames } from './peer-names.ts';
import type { PeerScores } from './peer-scores.ts';
import type { PeerZones } from './peer-zones.ts';
import { isLabelValue } from '../runtime/label-value.ts';
import { isNodeName } from '../runtime/node-name.ts';

/**
 * In an answer with content to another node: what the node that answers says of itself, such as
 * `zone=eu-central-1a; uploads=3; name=node-7`. Spegel (Go) takes no notice of it.
 */
export const NODE_HEADER = 'x-spegel-node';

/** What a node says of itself in its answers. */
export interface NodeWord {
  /** Where it is, see isLabelValue(); undefined: it does not know, or does not say. */
  readonly zone: string | undefined;
  /** Bodies that it sends to other nodes just now, this answer's among them; undefined: it does not say. */
  readonly uploads: number | undefined;
  /** What it is called, see isNodeName(); undefined: it does not say. */
  readonly name: string | undefined;
}

/**
 * A longer header is not read: what is longer comes from no node of this program. A name that does not fit beside the zone, whose
 * longest has 63 characters, is left out: peers that are connected are told it by a notice.
 */
const MAX_HEADER_LENGTH = 128;
/** More than any node sends at once; a number beyond is a lie. */
const MAX_UPLOADS = 100_000;

/** What heardFrom() tells. */
export interface HeardFromDeps {
  readonly zones: Pick<PeerZones, 'learn'>;
  readonly names: Pick<PeerNames, 'learn'>;
  readonly scores: Pick<PeerScores, 'loaded'>;
}

/** Takes note of what an answer from the address says of its node. */
export function heardFrom(
  { zones, names, scores }: HeardFromDeps,
  host: string,
  answer: Pick<PeerAnswer, 'header'>,
): void {
  const { zone, uploads, name } = parseNodeWord(answer.header(NODE_HEADER));
  if (zone !== undefined) zones.learn(host, zone);
  if (name !== undefined) names.learn(host, name);
  if (uploads !== undefined) scores.loaded(host, uploads);
}

/** The header's value. */
export function formatNodeWord({ zone, uploads = 0, name }: NodeWord): string {
  const word = zone === undefined ? `uploads=${uploads}` : `zone=${zone}; uploads=${uploads}`;
  const whole = name === undefined ? word : `${word}; name=${name}`;
  return whole.length <= MAX_HEADER_LENGTH ? whole : word;
}

/** Reads the header's value. What makes no sense counts as not said: another node wrote it. */
export function parseNodeWord(text: string | undefined): NodeWord {
  let [zone, called]: (string | undefined)[] = [];
  let uploads: number | undefined;
  if (text === undefined || text.length > MAX_HEADER_LENGTH) return { zone, uploads, name: called };
  for (const part of text.split(';')) {
    const [name, value = ''] = part.trim().split('=', 2);
    if (name === 'zone' && isLabelValue(value)) zone = value;
    else if (name === 'name' && isNodeName(value)) called = value;
    else if (name === 'uploads' && /^\d{1,6}$/.test(value) && Number(value) <= MAX_UPLOADS) {
      uploads = Number(value);
    }
  }
  return { zone, uploads, name: called };
}
