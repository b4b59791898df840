import { parse, stringify } from 'smol-toml';

/** One `[host]` table: a mirror that is asked before the server. */
export interface HostsTomlHost {
  readonly url: string;
  readonly capabilities: readonly string[];
  /** As Go writes durations; containerd knows it from 2.1 on, older ones skip it. */
  readonly dialTimeout: string;
  /** Value of the Authorization header; undefined: none is sent. */
  readonly authorization: string | undefined;
}

/** What `spegel configure` writes to one hosts.toml (containerd's docs/hosts.md). */
export interface HostsToml {
  /** Where what no host has comes from; undefined: containerd derives it from the image's name. */
  readonly server: string | undefined;
  /** CA certificates for the server, as file names in the folder of the hosts.toml. */
  readonly ca: readonly string[];
  /** Client certificates for the server with their keys, as file names in the folder of the hosts.toml. */
  readonly client: ReadonlyArray<readonly [certificate: string, key: string]>;
  /** In the order in which they are asked. */
  readonly hosts: readonly HostsTomlHost[];
}

/** Writes TOML in the form that Spegel has: literal strings, one table per host. Equal input gives equal text. */
export function formatHostsToml({ server, ca, client, hosts }: HostsToml): string {
  const sections = [
    [
      ...(server === undefined ? [] : [`server = ${quote(server)}`]),
      ...(ca.length === 0 ? [] : [`ca = ${list(ca)}`]),
      ...(client.length === 0 ? [] : [`client = [${client.map((pair) => list(pair)).join(', ')}]`]),
    ],
    ...hosts.flatMap(({ url, capabilities, dialTimeout, authorization }) => [
      [
        `[host.${quote(url)}]`,
        `capabilities = ${list(capabilities)}`,
        `dial_timeout = ${quote(dialTimeout)}`,
      ],
      authorization === undefined
        ? []
        : [`[host.${quote(url)}.header]`, `Authorization = ${quote(authorization)}`],
    ]),
  ];
  const text = sections
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
  return verified(text);
}

/** The `server` of a hosts.toml; undefined if it has none. Throws for what is no TOML. */
export function readServer(text: string): string | undefined {
  const { server } = parse(text);
  return typeof server === 'string' ? server : undefined;
}

/** True if both mean the same to containerd: equal tables, hosts in the same order. False if one is no TOML. */
export function isSameHostsToml(left: string, right: string): boolean {
  try {
    return JSON.stringify(comparable(left)) === JSON.stringify(comparable(right));
  } catch {
    return false;
  }
}

/** The keys of tables in one order, but for the hosts, whose order is what they are asked in. */
function comparable(text: string): unknown {
  const { host = {}, ...rest } = parse(text);
  return [sorted(rest), Object.entries(host).map(([url, table]) => [url, sorted(table)])];
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, sorted(item)] as const);
  return entries.sort(([left], [right]) => (left < right ? -1 : 1));
}

function list(texts: readonly string[]): string {
  return `[${texts.map((text) => quote(text)).join(', ')}]`;
}

/** A literal string where the text allows it, else a basic one. */
function quote(text: string): string {
  if (/^[^'\p{Cc}]*$/u.test(text)) return `'${text}'`;
  return stringify({ text }).trim().slice('text = '.length);
}

/** containerd reads a broken file as if it was not there and goes on without mirrors: better to fail here. */
function verified(text: string): string {
  parse(text);
  return text;
}
