import { isDigest } from '../oci/digest.ts';
import type { Column, TextCell } from '../terminal/format-table.ts';
import { cutMiddle } from '../terminal/text-width.ts';

/** `sha256:` and twelve hex digits, as other programs shorten a digest. */
const DIGEST_LENGTH = 'sha256:'.length + 12;
/** Peer IDs begin with the same eight letters; after these, seven from the end tell peers apart. */
const PEER_ID_WIDTH = 16;

/** A digest, or a name that ends with a digest, with the first twelve hex digits; any other name as it is. */
export function shortName(name: string): string {
  const start = name.lastIndexOf('@') + 1;
  return isDigest(name.slice(start)) ? `${name.slice(0, start + DIGEST_LENGTH)}…` : name;
}

/** A digest or a name for a table: the whole where there is room. */
export function nameCell(name: string): TextCell {
  return { text: name, short: shortName(name) };
}

/** The name of a node for a table: the whole where there is room, else the first label of a domain name. */
export function nodeNameCell(name: string): TextCell {
  const [label = '', ...domain] = name.split('.');
  return { text: name, short: domain.length === 0 ? name : `${label}…` };
}

/** The ID of a peer for a table: the whole where there is room, else its beginning and its end. */
export function peerIdCell(id: string): TextCell {
  return { text: id, short: cutMiddle(id, PEER_ID_WIDTH) };
}

/** The column of peerIdCell. */
export const PEER_ID_COLUMN: Column = { flow: 'cut', least: PEER_ID_WIDTH };
