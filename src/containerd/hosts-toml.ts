import { TomlError, parse, stringify } from 'smol-toml';
import { describeTomlError } from './toml-problem.ts';

/** Settings of a host or of the server, in their order, with whatever containerd or a later one knows. */
export type HostSettings = Readonly<Record<string, unknown>>;

/** One `[host]` table: a mirror that is asked before the server. */
export interface HostsTomlHost {
  /** The key of the table, as it was written. */
  readonly url: string;
  readonly settings: HostSettings;
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

/** Thrown by parseHostsToml; the message says where and what. */
export class InvalidHostsTomlError extends Error {
  override readonly name = 'InvalidHostsTomlError';
  readonly code = 'INVALID_HOSTS_TOML';
}

/** Longest quotation in a message, in characters. */
const MAX_QUOTED = 200;

/** Parses a hosts.toml or throws InvalidHostsTomlError. Integers become bigint, so that floats stay floats. */
export function parseHostsToml(text: string): HostsToml {
  const { server, host = {}, ...settings } = parseToml(text);
  const isText = server === undefined || typeof server === 'string';
  if (!isText) throw new InvalidHostsTomlError('server is no text');
  if (!isTable(host)) throw new InvalidHostsTomlError('host is no table');
  const hosts = Object.entries(host).map(([url, table]) => {
    if (!isTable(table)) throw new InvalidHostsTomlError(`host ${quoteShort(url)} is no table`);
    return { url, settings: table };
  });
  return { server: server === '' ? undefined : server, settings, hosts };
}

/** Writes TOML in the form that Spegel has: literal strings, one table per host. Equal input gives equal text. */
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
    throw new InvalidHostsTomlError(describeTomlError(error));
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
    return `{ ${pairs.join(', ')} }`;
  }
  return stringify({ value }, { numbersAsFloat: true }).trim().slice('value = '.length);
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

/** A table, and none of the classes that dates have. */
function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** containerd reads a broken file as if it was not there and goes on without mirrors: better to fail here. */
function verified(text: string): string {
  parseToml(text);
  return text;
}
