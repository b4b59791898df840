import { bytesField, frame, MessageError, numberField, readFields } from '../../dht/wire/protocol-buffers.ts';
import type { FlightAnswer, FlightQuestion, FlightReport } from '../../flights/flight-messages.ts';
import type { Digest } from '../../oci/digest.ts';
import { recentDigest } from '../../oci/recent-digests.ts';

/*
 * Protocol buffers (docs/FLIGHTS.md). To a tower:
 * `string digest = 1; bytes leader = 2; repeated bytes bad = 3; repeated bytes full = 4; State state = 5; bool root = 6;
 * bool begun = 7; bool about_leader = 8; uint64 written = 9; bool avoids_own_zone = 10;`, where a state (1 running, 2 done, 3 aborted) makes it a report.
 * Its answer: `bytes from = 1; bytes leader = 2;`, empty to a report, and only a leader where only that was asked for;
 * without both the asker goes upstream.
 */
const DIGEST = 1;
const LEADER = 2;
const BAD = 3;
const FULL = 4;
const STATE = 5;
const ROOT = 6;
const BEGUN = 7;
const ABOUT_LEADER = 8;
const WRITTEN = 9;
const AVOIDS_OWN_ZONE = 10;
const FROM = 1;
const STATES = ['running', 'done', 'aborted'] as const;

/** A digest of sha512 has 135 characters. */
const MAX_DIGEST_BYTES = 135;
/** The multihash of a public key has 38 bytes, or 34 of a longer key. */
const MAX_ID_BYTES = 64;
/** Nodes that a question names as bad, and as full. */
const MAX_NAMES = 16;

/** What a tower is sent. */
export type FlightMessage = FlightQuestion | FlightReport;

/** The question with its length in front, ready for the stream. */
export function encodeFlightQuestion({
  digest,
  leader,
  bad,
  full,
  isAboutLeader = false,
  lagsAtByte,
  avoidsOwnZone = false,
}: FlightQuestion): Uint8Array {
  return frame([
    bytesField(DIGEST, Buffer.from(digest)),
    ...(leader === undefined ? [] : [bytesField(LEADER, Uint8Array.fromHex(leader))]),
    ...bad.slice(-MAX_NAMES).map((name) => bytesField(BAD, Uint8Array.fromHex(name))),
    ...full.slice(-MAX_NAMES).map((name) => bytesField(FULL, Uint8Array.fromHex(name))),
    ...(isAboutLeader ? [numberField(ABOUT_LEADER, 1)] : []),
    ...(lagsAtByte === undefined ? [] : [numberField(WRITTEN, lagsAtByte)]),
    ...(avoidsOwnZone ? [numberField(AVOIDS_OWN_ZONE, 1)] : []),
  ]);
}

/** The report with its length in front. */
export function encodeFlightReport({
  digest,
  state,
  isRoot,
  hasBegun,
  writtenBytes,
}: FlightReport): Uint8Array {
  return frame([
    bytesField(DIGEST, Buffer.from(digest)),
    numberField(STATE, STATES.indexOf(state) + 1),
    ...(isRoot ? [numberField(ROOT, 1)] : []),
    ...(hasBegun ? [numberField(BEGUN, 1)] : []),
    ...(writtenBytes > 0 ? [numberField(WRITTEN, writtenBytes)] : []),
  ]);
}

/** Parses what a tower is sent, without its length. Throws MessageError for bytes that make no sense, or are too many. */
export function parseFlightMessage(message: Uint8Array): FlightMessage {
  let digest: Digest | undefined;
  let leader: string | undefined;
  let [state, written]: (number | undefined)[] = [];
  let [isRoot, hasBegun, isAboutLeader, avoidsOwnZone] = [false, false, false, false];
  const bad: string[] = [];
  const full: string[] = [];
  for (const { number, value, bytes } of readFields(message)) {
    if (number === DIGEST && bytes !== undefined) digest = parseDigestBytes(bytes);
    else if (number === LEADER && bytes !== undefined) leader = nameOf(bytes);
    else if (number === BAD && bytes !== undefined) bad.push(nameOf(bytes));
    else if (number === FULL && bytes !== undefined) full.push(nameOf(bytes));
    else if (number === STATE && value !== undefined) state = value;
    else if (number === ROOT && value !== undefined) isRoot = value !== 0;
    else if (number === BEGUN && value !== undefined) hasBegun = value !== 0;
    else if (number === WRITTEN && value !== undefined) written = value;
    else if (number === ABOUT_LEADER && value !== undefined) isAboutLeader = value !== 0;
    else if (number === AVOIDS_OWN_ZONE && value !== undefined) avoidsOwnZone = value !== 0;
    if (bad.length > MAX_NAMES || full.length > MAX_NAMES) {
      throw new MessageError('Cannot take a question about a flight: it names too many nodes');
    }
  }
  if (digest === undefined) throw new MessageError('Cannot take a message about a flight without a digest');
  if (state === undefined) {
    return {
      digest,
      leader,
      bad,
      full,
      ...(isAboutLeader ? { isAboutLeader } : {}),
      ...(avoidsOwnZone ? { avoidsOwnZone } : {}),
      ...(written === undefined ? {} : { lagsAtByte: written }),
    };
  }
  const said = STATES[state - 1];
  if (said === undefined) throw new MessageError(`Cannot take a report of a flight: state ${state}`);
  return { digest, state: said, isRoot, hasBegun, writtenBytes: written ?? 0 };
}

/** An answer with its length in front; undefined: to a report. */
export function encodeFlightAnswer(answer: FlightAnswer | undefined): Uint8Array {
  if (answer === undefined || answer.verdict === 'upstream') return frame([]);
  const { leader } = answer;
  return frame([
    ...(answer.verdict === 'take' ? [bytesField(FROM, Uint8Array.fromHex(answer.from))] : []),
    ...(leader === undefined ? [] : [bytesField(LEADER, Uint8Array.fromHex(leader))]),
  ]);
}

/** Parses the answer to a question, without its length. Throws MessageError for bytes that make no sense. */
export function parseFlightAnswer(message: Uint8Array): FlightAnswer {
  let [from, leader]: (string | undefined)[] = [];
  for (const { number, bytes } of readFields(message)) {
    if (number === FROM && bytes !== undefined) from = nameOf(bytes);
    else if (number === LEADER && bytes !== undefined) leader = nameOf(bytes);
  }
  if (from !== undefined) return { verdict: 'take', from, leader };
  return leader === undefined ? { verdict: 'upstream' } : { verdict: 'led', leader };
}

function nameOf(id: Uint8Array): string {
  if (id.length === 0 || id.length > MAX_ID_BYTES) throw new MessageError('Cannot take a node by such an ID');
  return id.toHex();
}

function parseDigestBytes(bytes: Uint8Array): Digest {
  const text = bytes.length <= MAX_DIGEST_BYTES ? Buffer.from(bytes).toString('latin1') : '';
  const digest = recentDigest(text);
  if (digest === undefined) {
    throw new MessageError('Cannot take a message about a flight: no such digest');
  }
  return digest;
}
