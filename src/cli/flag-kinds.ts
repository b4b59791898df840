import { formatByteCount, parseByteCount } from '../runtime/byte-count.ts';
import { formatDuration, parseDuration } from '../runtime/duration.ts';
import { isDomainName } from '../runtime/domain-name.ts';
import { isLabelValue, MAX_LABEL_VALUE_LENGTH } from '../runtime/label-value.ts';
import { isNodeName, MAX_NODE_NAME_LENGTH } from '../runtime/node-name.ts';
import { parseIp } from '../runtime/ip-address.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { DISTRIBUTION_IDS } from '../doctor/distribution.ts';
import { parseEndpoint } from '../commands/endpoint.ts';
import type { Flag } from './flag.ts';

/** A flag with one value, read by `parse`; `absent` is its value when it is not given. */
function valueFlag<T, A>(options: {
  readonly argument: string;
  readonly help: string;
  readonly parse: (text: string) => T;
  readonly absent: A;
  readonly defaultText?: string;
}): Flag<T | A> {
  const { argument, help, parse, absent, defaultText } = options;
  return {
    kind: 'value',
    argument,
    help,
    defaultText,
    absent,
    required: false,
    parse: ([text]) => parse(text ?? ''),
  };
}

/** A flag with one text: a path, a name. */
export function textFlag<A extends string | undefined>(
  argument: string,
  help: string,
  absent: A,
): Flag<string | A> {
  return valueFlag({ argument, help, absent, parse: (text) => text, ...shown(absent) });
}

/** The same flag, when what the distribution has counts without it. */
export function ofDistribution(flag: Flag<string | undefined>): Flag<string | undefined> {
  return { ...flag, defaultText: "the distribution's" };
}

/** Where the node's files are, for the commands that look at them. */
export const nodeFlags = {
  hostRoot: textFlag(
    'path',
    "where the host's / is, in a pod that mounts it; other paths of its configuration are the host's",
    '/',
  ),
  distribution: {
    ...choiceFlag(DISTRIBUTION_IDS, '', undefined),
    argument: 'name',
    help: `of Kubernetes: ${DISTRIBUTION_IDS.join(', ')}`,
    defaultText: 'told by its files',
  },
  containerdConfig: ofDistribution(textFlag('path', 'the file that containerd was started with', undefined)),
  containerdRegistryConfigPath: ofDistribution(
    textFlag('path', 'the folder that configure writes to', undefined),
  ),
};

/** A flag with a listen address; the value is the text as it was given. */
export function addressFlag<A extends string | undefined>(help: string, absent: A): Flag<string | A> {
  const parse = (text: string) => {
    parseListenAddress(text);
    return text;
  };
  return valueFlag({ argument: 'address', help, absent, parse, ...shown(absent) });
}

/** A flag with the address of a server to ask: a listen address, or a name and a port. */
export function endpointFlag(help: string, absent: string): Flag<string> {
  const parse = (text: string) => {
    parseEndpoint(text);
    return text;
  };
  return valueFlag({ argument: 'address', help, absent, parse, defaultText: absent });
}

/** A flag with a duration above zero; the value is in ms. `instead`: what to do for what zero would mean, for the error. */
export function durationFlag(help: string, defaultText: string, instead?: string): Flag<number> {
  const parse = (text: string) => {
    const ms = parseDuration(text);
    if (ms <= 0) {
      const hint = instead === undefined ? '' : `: ${instead}`;
      throw new RangeError(`The duration ${text} is not above zero${hint}`);
    }
    return ms;
  };
  return valueFlag({ argument: 'duration', help, absent: parseDuration(defaultText), parse, defaultText });
}

/** A flag with a whole number of at least `least`. */
export function countFlag(help: string, { absent, least }: { absent: number; least: number }): Flag<number> {
  const parse = (text: string) => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < least) {
      throw new RangeError(`${JSON.stringify(text)} is not a whole number of at least ${least}`);
    }
    return value;
  };
  return valueFlag({ argument: 'count', help, absent, parse, defaultText: String(absent) });
}

/**
 * A flag with a number of bytes per second, written with its unit: `100MB`, `64MiB`; 0, which needs none, means that there is no such
 * rate. `least`: what less is of no use.
 */
export function byteRateFlag(
  help: string,
  { least, defaultText = '0' }: { readonly least: number; readonly defaultText?: string },
): Flag<number> {
  const parse = (text: string) => {
    const bytes = parseByteCount(text.replace(/\/s$/i, ''));
    if (bytes > 0 && bytes < least) {
      throw new RangeError(`${text} is below ${formatByteCount(least)} per second; 0 is none`);
    }
    return bytes;
  };
  return valueFlag({ argument: 'bytes', help, absent: parse(defaultText), parse, defaultText });
}

/** A flag that takes one of a few words, in any case. */
export function choiceFlag<C extends string, A extends C | undefined>(
  choices: readonly C[],
  help: string,
  absent: A,
): Flag<C | A> {
  const parse = (text: string) => {
    const choice = choices.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    if (choice === undefined) throw new RangeError(`${JSON.stringify(text)} is not ${choices.join(' or ')}`);
    return choice;
  };
  return valueFlag({ argument: choices.join('|'), help, absent, parse, ...shown(absent) });
}

/** A flag with an http or https URL; the value has no trailing slash. */
export function urlFlag(help: string): Flag<string | undefined> {
  const parse = (text: string) => {
    if (!/^https?:\/\/[^\s/]/i.test(text) || !URL.canParse(text)) {
      throw new TypeError(`${JSON.stringify(text)} is no URL of the form http://10.0.0.1:5002`);
    }
    return text.replace(/\/+$/, '');
  };
  return valueFlag({ argument: 'url', help, absent: undefined, parse });
}

/** A flag with a domain name. */
export function domainFlag(help: string): Flag<string | undefined> {
  const parse = (text: string) => {
    if (!isDomainName(text)) throw new TypeError(`${JSON.stringify(text)} is no domain name`);
    return text;
  };
  return valueFlag({ argument: 'domain', help, absent: undefined, parse });
}

/** A flag with a name that a label of Kubernetes can have as its value. */
export function labelFlag(help: string): Flag<string | undefined> {
  const parse = (text: string) => {
    if (isLabelValue(text)) return text;
    const form = `up to ${MAX_LABEL_VALUE_LENGTH} letters, digits, and - _ . within`;
    throw new TypeError(`${JSON.stringify(text)} is not a name of ${form}`);
  };
  return valueFlag({ argument: 'name', help, absent: undefined, parse });
}

/** A flag with what a node is called; its hostname without. */
export function nodeNameFlag(help: string): Flag<string | undefined> {
  const parse = (text: string) => {
    if (isNodeName(text)) return text;
    const form = `up to ${MAX_NODE_NAME_LENGTH} letters, digits, and - . within`;
    throw new TypeError(`${JSON.stringify(text)} is not a name of ${form}`);
  };
  return valueFlag({ argument: 'name', help, absent: undefined, parse, defaultText: 'the hostname' });
}

/** A flag with an IP address of either family, without brackets. */
export function ipFlag(help: string): Flag<string | undefined> {
  const parse = (text: string) => {
    if (parseIp(text) === undefined) throw new TypeError(`${JSON.stringify(text)} is no IP address`);
    return text;
  };
  return valueFlag({ argument: 'ip', help, absent: undefined, parse });
}

/** True for what a boolean flag takes as its value, the words that Go's strconv.ParseBool takes. */
function isBooleanWord(text: string): boolean {
  return /^(?:1|t|true|0|f|false)$/i.test(text);
}

/** A flag that switches something on or off: `--flag`, `--flag=false`, `--flag false`. */
export function booleanFlag(help: string, absent: boolean): Flag<boolean> {
  const parse = ([text = '']: readonly string[]) => {
    if (!isBooleanWord(text)) throw new TypeError(`${JSON.stringify(text)} is not true or false`);
    return /^[1t]/i.test(text);
  };
  return {
    kind: 'optional',
    isValue: isBooleanWord,
    argument: 'bool',
    help,
    defaultText: String(absent),
    absent,
    required: false,
    parse,
  };
}

/**
 * A flag for doing something again after each interval, in ms: `--flag` for the usual interval, `--flag=5s`, `--flag 5s`, `--flag=false`.
 * Undefined without it. An interval has at least `leastMs`.
 */
export function intervalFlag(
  help: string,
  { usual, leastMs }: { readonly usual: string; readonly leastMs: number },
): Flag<number | undefined> {
  const parse = ([text = '']: readonly string[]) => {
    if (/^t(?:rue)?$/i.test(text)) return parseDuration(usual);
    if (/^f(?:alse)?$/i.test(text)) return undefined;
    const ms = parseDuration(text);
    if (ms < leastMs) throw new RangeError(`The interval ${text} is below ${formatDuration(leastMs)}`);
    return ms;
  };
  return {
    kind: 'optional',
    // Also what is no duration for lack of a unit: no image is called so.
    isValue: (word) =>
      /^-?(?:[\d.]+(?:ns|us|µs|μs|ms|s|m|h)?)+$/.test(word) || /^(?:true|false)$/i.test(word),
    argument: 'duration',
    help,
    defaultText: undefined,
    absent: undefined,
    required: false,
    parse,
  };
}

/** A flag with several values: `--flag a b`, repeated, or comma-separated in the environment. */
export function listFlag<T>(options: {
  readonly argument: string;
  readonly help: string;
  readonly parse: (text: string) => T;
  readonly required?: boolean;
}): Flag<readonly T[]> {
  const { argument, help, parse, required = false } = options;
  return {
    kind: 'list',
    argument,
    help,
    defaultText: undefined,
    absent: [],
    required,
    parse: (texts) => texts.map((text) => parse(text)),
  };
}

function shown(absent: string | undefined): { defaultText?: string } {
  return absent === undefined ? {} : { defaultText: absent };
}
