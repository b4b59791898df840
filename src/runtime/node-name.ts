import { hostname } from 'node:os';

/** The longest name of a Node in Kubernetes, which is that of a DNS subdomain (RFC 1123). */
export const MAX_NODE_NAME_LENGTH = 253;

const NODE_NAME = /^[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?$/i;

/** True for what a node can be called: letters and digits, with hyphens and dots within, at most MAX_NODE_NAME_LENGTH. */
export function isNodeName(text: string): boolean {
  return text.length <= MAX_NODE_NAME_LENGTH && NODE_NAME.test(text);
}

/** The hostname; undefined where that is not the name of a node. */
export function hostNodeName(): string | undefined {
  const name = hostname();
  return isNodeName(name) ? name : undefined;
}
