import type { LivePeer } from '../live-report.ts';

/** Letters of an ID at its end: what peer IDs begin with is the same for most of them. */
const ID_LETTERS = 8;

/** What a peer is called: the name of its node, else its first address, else the end of its ID. */
export function formatPeerName({ id, name, addresses }: Pick<LivePeer, 'id' | 'name' | 'addresses'>): string {
  return name ?? addresses[0] ?? `…${id.slice(-ID_LETTERS)}`;
}

/** Digits and dots, or what has a colon: a name such as `bad.cafe` has neither. */
const IP_ADDRESS = /^(?:[\d.]{7,15}|(?=.*:)[\da-f.:]{2,45})$/i;

/** The page of the node at an address; undefined for what is not an IP address: peers say of themselves what their addresses are. */
export function peerPageUrl(address: string | undefined, port: number): string | undefined {
  if (address === undefined || !IP_ADDRESS.test(address)) return undefined;
  const host = address.includes(':') ? `[${address}]` : address;
  const url = `http://${host}:${port}/debug/web/`;
  return URL.canParse(url) ? url : undefined;
}
