import { TomlError, parse, stringify } from 'smol-toml';
import { isTable } from './hosts-settings.ts';
import { describeTomlError } from '../containerd-config/toml-problem.ts';
import { scanToml } from '../containerd-config/toml-scan.ts';

/** Settings of a host or of the server, in their order, with whatever containerd or a later one knows. */
export type HostSettings = Readonly<Record<string, unknown>>;

/** One `[host]` table: a mirror that is asked before the server. */
export interface HostsTomlHost {
  /** The key of the table, as it was written. */
  readonly url: string;
  readonly settings: HostSettings;
  /** `[host."https://a"]`, or a key in a table of hosts, which only containerd 1.x takes for a host; 2.3 may even crash. */
  readonly form: 'header' | 'key';
}

/** One hosts.toml (containerd's docs/hosts.md). */
export interface HostsToml {
  /** Where what no host has comes from; undefined: containerd derives it from the image's name. */
  readonly server: string | undefined;
  /** How to talk to the server: ca, client, skip_verify, header, … */
  readonly settings: HostSettings;
  /** In the order in which they are asked. */
  readonly hosts: readonly HostsTomlHost[];
}

/** A hosts.toml that was read. */
export interface ParsedHostsToml extends HostsToml {
  /** Everything but the hosts, with `server`. */
  readonly root: HostSettings;
  /** The hosts as containerd 2.x asks them: without those that are no tables, and one whose tables are apart from each other twice (getSortedHosts). */
  readonly askedBy2x: readonly HostsTomlHost[];
  /** False: containerd 1.x takes the file as if it was not there. */
  readonly hasHostTable: boolean;
}

/** Thrown by parseHostsToml; the message says where and what. */
export class InvalidHostsTomlError extends Error {
  override readonly name = 'InvalidHostsTomlError';
  readonly code = 'INVALID_HOSTS_TOML';
  /** Where it is not TOML, counted from 1; undefined for what is TOML. */
  readonly line: number | undefined;

  constructor(message: string, { line }: { readonly line?: number } = {}) {
    super(message);
    this.line = line;
  }
}

const EMPTY: HostSettings = {};
/** Longest quotation in a message, in characters. */
const MAX_QUOTED = 200;

/** Parses a hosts.toml or throws InvalidHostsTomlError. Integers become bigint, so that floats stay floats. */
export function parseHostsToml(text: string): ParsedHostsToml {
  const { host = EMPTY, ...root } = parseHostsTree(text);
  const { server, ...others } = root;
  // Written first, so another spelling that came before it would count after it (go-toml 2 takes the last).
  const place = Object.keys(root).indexOf('server');
  const settings = Object.fromEntries(
    Object.entries(others).filter(([name], index) => name.toLowerCase() !== 'server' || index >= place),
  );
  const isText = server === undefined || typeof server === 'string';
  if (!isText) throw new InvalidHostsTomlError('server is no text');
  if (!isTable(host)) throw new InvalidHostsTomlError('host is no table');
  const { headers: allHeaders, keys: allKeys } = scanToml(text);
  const headers = allHeaders.flatMap(({ path: [first, url], isArray }) =>
    first === 'host' && url !== undefined && url !== '' && !isArray ? [url] : [],
  );
  // The keys of an object are in their order, but for those that are numbers.
  const keys = Object.keys(host);
  // containerd 1.x sorts hosts by the line of their table, and inline tables have none (getSortedHosts).
  const isInline = (url: string) =>
    allKeys.some(({ path }) => path.length === 2 && path[0] === 'host' && path[1] === url);
  const inOrder = keys.every((url) => headers.includes(url))
    ? Array.from(new Set(headers))
    : [...keys.filter((url) => isInline(url)), ...keys.filter((url) => !isInline(url))];
  const hosts = inOrder.map((url): HostsTomlHost => {
    const table = host[url];
    if (!isTable(table)) throw new InvalidHostsTomlError(`host ${quoteShort(url)} is no table`);
    return { url, settings: table, form: headers.includes(url) ? 'header' : 'key' };
  });
  const askedBy2x = headers
    .filter((url, index) => url !== headers[index - 1])
    .flatMap((url) => hosts.find((host) => host.url === url) ?? []);
  const hasHostTable = host !== EMPTY;
  return { server: server === '' ? undefined : server, settings, hosts, root, askedBy2x, hasHostTable };
}

/** Parses a hosts.toml as TOML or throws InvalidHostsTomlError. */
export function parseHostsTree(text: string): HostSettings {
  return parseToml(text);
}

/** Writes TOML in the form that Spegel has: literal strings, one table per host, which every containerd reads. Equal input gives equal text. */
export function formatHostsToml({ server, settings, hosts }: HostsToml): string {
  const root = server === undefined ? settings : { server, ...settings };
  const sections = [
    ...formatTable('', root),
    ...hosts.flatMap(({ url, settings }) => formatTable(`host.${quote(url)}`, settings)),
  ];
  return verified(sections.map((lines) => `${lines.join('\n')}\n`).join('\n'));
}

function parseToml(text: string) {
  try {
    return parse(text, { integersAsBigInt: true, unsafeKeyBehaviour: 'throw' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new InvalidHostsTomlError(describeTomlError(error), { line: error.line });
  }
}

/** The lines of a table and of the one below it that containerd knows, `header`; other tables are written inline. */
function formatTable(name: string, settings: HostSettings): string[][] {
  const { header, ...others } = settings;
  const headerTable = isTable(header) && Object.keys(header).length > 0 ? header : undefined;
  const rest = headerTable === undefined ? settings : others;
  const lines = Object.entries(rest).map(([key, value]) => `${formatKey(key)} = ${formatValue(value)}`);
  const prefix = name === '' ? '' : `${name}.`;
  return [
    ...(name === '' ? (lines.length === 0 ? [] : [lines]) : [[`[${name}]`, ...lines]]),
    ...(headerTable === undefined ? [] : formatTable(`${prefix}header`, headerTable)),
  ];
}

function formatKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : quote(key);
}

function formatValue(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return `[${value.map((item) => formatValue(item)).join(', ')}]`;
  if (isTable(value)) {
    const pairs = Object.entries(value).map(([key, item]) => `${formatKey(key)} = ${formatValue(item)}`);
    return `{ ${pairs.join(', ').trimEnd()} }`;
  }
  const text = stringify({ value }, { numbersAsFloat: true }).trim().slice('value = '.length);
  // containerd 1.x takes no date without a space after it (go-toml 1).
  return /^\d{4}-\d\d-\d\d$/.test(text) ? `${text} ` : text;
}

/** A literal string where the text allows it, else a basic one. */
function quote(text: string): string {
  if (/^[^'\p{Cc}]*$/u.test(text)) return `'${text}'`;
  return stringify({ text }).trim().slice('text = '.length);
}

/** What a message quotes of a file: a name, not half a megabyte. */
function quoteShort(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
}

/** containerd reads a broken file as if it was not there and goes on without mirrors: better to fail here. */
function verified(text: string): string {
  parseToml(text);
  return text;
}
