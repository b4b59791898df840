import { type ContainerdVersion, isAtLeast } from './containerd-version.ts';
import { goDurationProblem } from './go-duration.ts';
import { InvalidGoUrlError, parseGoUrl } from './go-url.ts';
import { isTable, settingOf, spellingsOf } from './hosts-settings.ts';
import { type HostSettings, InvalidHostsTomlError, parseHostsTree } from './hosts-toml.ts';
import { findKeyLine, findTableLine } from './toml-lines.ts';
import { scanToml } from './toml-scan.ts';
import { parseTableHeader } from './toml-tree.ts';

/** Why containerd takes a hosts.toml as if it was not there. Quotes no header and no URL: they may have a password. */
export interface HostsProblem {
  /** Counted from 1; undefined: it cannot be told. */
  readonly line: number | undefined;
  /** The keys that lead to the value, none for the file as a whole. */
  readonly key: readonly string[];
  readonly why: string;
}

/** The problem as a sentence without its subject, the file. */
export function formatHostsProblem({ line, key, why }: HostsProblem): string {
  const place = line === undefined ? '' : `line ${line}`;
  const name = key.map((part) => (/^[\w-]+$/.test(part) ? part : `'${maskUser(part)}'`)).join('.');
  return [place, name, why].filter((part) => part !== '').join(': ');
}

/** What is wrong with a value. */
interface Fault {
  readonly why: string;
  /** The key below its own. */
  readonly below?: string;
  /** True: the file cannot be decoded, whether the value is used or not. */
  readonly isType?: boolean;
}
type Check = (value: unknown, version: ContainerdVersion) => Fault | undefined;

/** What parseHostsFile and parseHostConfig of core/remotes/docker/config take, by its key. */
const SETTINGS: Readonly<Record<string, Check>> = {
  capabilities: (value, version) => {
    if (!isListOf(value, isText)) return { why: 'it has to be a list of texts', isType: true };
    const unknown = value.find((name) => !capabilitiesOf(version).includes(name.toLowerCase()));
    return unknown === undefined
      ? undefined
      : {
          why: `no capability is named ${JSON.stringify(unknown.slice(0, 100))} (pull, resolve, push or referrers)`,
        };
  },
  ca: (value) =>
    isText(value) || isListOf(value, isText)
      ? undefined
      : { why: 'it has to be a file name or a list of file names' },
  client: (value) =>
    isText(value) || isListOf(value, isClient)
      ? undefined
      : { why: 'it has to be a file name, or a list of file names or of pairs, [certificate, key]' },
  skip_verify: (value) =>
    typeof value === 'boolean'
      ? undefined
      : { why: 'it has to be true or false, without quotes', isType: true },
  override_path: (value) =>
    typeof value === 'boolean'
      ? undefined
      : { why: 'it has to be true or false, without quotes', isType: true },
  header: (value) => {
    if (!isTable(value)) return { why: 'it has to be a table', isType: true };
    const wrong = Object.entries(value).find(([, text]) => !isText(text) && !isListOf(text, isText));
    return wrong === undefined
      ? undefined
      : { why: 'it has to be a text or a list of texts', below: wrong[0] };
  },
  dial_timeout: (value, version) => {
    if (!isAtLeast(version, 2, 1)) return undefined;
    if (!isText(value)) return { why: 'it has to be a text, for example "200ms"', isType: true };
    const why = value === '' ? undefined : goDurationProblem(value);
    return why === undefined
      ? undefined
      : { why: `${JSON.stringify(value.slice(0, 100))} ${why}; write for example "200ms"` };
  },
};

/**
 * The first thing for which that version of containerd does not take a hosts.toml; undefined if it takes it. `isStrict`:
 * also what it would not take in hosts that it does not ask, because they are no `[host."URL"]` tables.
 */
export function findHostsProblem(
  text: string,
  version: ContainerdVersion,
  { isStrict = false }: { readonly isStrict?: boolean } = {},
): HostsProblem | undefined {
  let tree: HostSettings;
  try {
    tree = parseHostsTree(text);
  } catch (error) {
    if (!(error instanceof InvalidHostsTomlError)) throw error;
    return { line: undefined, key: [], why: error.message };
  }
  const { headers, deviations } = scanToml(text);
  const isAsked = (name: string, url: string) =>
    name === 'host' &&
    (isStrict || version.major < 2 || headers.some(({ path }) => path[0] === 'host' && path[1] === url));
  const problem =
    findSyntaxProblem(tree, version, { headers, deviations }) ?? findTreeProblem(tree, version, isAsked);
  if (problem === undefined || problem.line !== undefined) return problem;
  return { ...problem, line: findLine(text, problem.key) };
}

function findSyntaxProblem(
  tree: HostSettings,
  version: ContainerdVersion,
  { headers, deviations }: ReturnType<typeof scanToml>,
): HostsProblem | undefined {
  const deviation = deviations.find(({ majors }) => majors.includes(Math.min(version.major, 2)));
  if (deviation !== undefined) return { line: deviation.line, key: [], why: deviation.what };
  if (version.major >= 2) return undefined;
  // lexInsideTableKey of go-toml 1, quotes or not.
  const bracket = headers.find(({ path }) => path.some((key) => /[[\]]/.test(key)));
  if (bracket !== undefined) {
    return { line: bracket.line, key: [], why: 'containerd 1.x takes no bracket in the name of a table' };
  }
  return isTable(tree['host'])
    ? undefined
    : { line: undefined, key: [], why: 'containerd 1.x takes no file without a [host] table' };
}

function findTreeProblem(
  tree: HostSettings,
  version: ContainerdVersion,
  isAsked: (name: string, url: string) => boolean,
): HostsProblem | undefined {
  for (const [name, host] of spellingsOf(tree, 'host', version)) {
    if (!isTable(host)) return { line: undefined, key: [name], why: 'it has to be a table' };
    for (const [url, settings] of Object.entries(host)) {
      const key = [name, url];
      if (!isTable(settings)) return { line: undefined, key, why: 'it has to be a table' };
      const asked = isAsked(name, url);
      const problem =
        findSettingsProblem(settings, key, version, asked) ?? (asked ? findUrlProblem(url, key) : undefined);
      if (problem !== undefined) return problem;
    }
  }
  for (const [name, server] of spellingsOf(tree, 'server', version)) {
    if (!isText(server)) return { line: undefined, key: [name], why: 'it has to be a text' };
  }
  const server = settingOf(tree, 'server', version);
  return (
    findSettingsProblem(tree, [], version, true) ??
    (isText(server) ? findUrlProblem(server, ['server']) : undefined)
  );
}

function findSettingsProblem(
  settings: HostSettings,
  path: readonly string[],
  version: ContainerdVersion,
  isAsked: boolean,
): HostsProblem | undefined {
  for (const [key, check] of Object.entries(SETTINGS)) {
    for (const [name, value] of spellingsOf(settings, key, version)) {
      const problem = check(value, version);
      if (problem === undefined || (!isAsked && problem.isType !== true)) continue;
      const below = problem.below === undefined ? [] : [problem.below];
      return { line: undefined, key: [...path, name, ...below], why: problem.why };
    }
  }
  return undefined;
}

function findUrlProblem(url: string, key: readonly string[]): HostsProblem | undefined {
  try {
    parseGoUrl(url.startsWith('http') ? url : `https://${url}`);
    return undefined;
  } catch (error) {
    if (!(error instanceof InvalidGoUrlError)) throw error;
    return { line: undefined, key, why: `containerd cannot use the URL: ${error.message}` };
  }
}

/** The line of the key, or of what it is written in. */
function findLine(text: string, key: readonly string[]): number | undefined {
  for (let length = key.length; length > 0; length -= 1) {
    const path = key.slice(0, length);
    const line = findKeyLine(text, path) ?? findTableLine(text, path);
    if (line !== undefined) return line;
  }
  const last = key.at(-1);
  if (last === undefined) return undefined;
  const index = text
    .split('\n')
    .findIndex((line) => line.includes(last) && parseTableHeader(line)?.length !== 0);
  return index < 0 ? undefined : index + 1;
}

function capabilitiesOf({ major }: ContainerdVersion): readonly string[] {
  return major < 2 ? ['pull', 'resolve', 'push'] : ['pull', 'resolve', 'push', 'referrers'];
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isClient(value: unknown): boolean {
  return isText(value) || (isListOf(value, isText) && value.length === 2);
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is readonly T[];
function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean;
function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => isItem(item));
}

function maskUser(text: string): string {
  return text.replace(/:\/\/[^/]*@/, '://(not shown)@').slice(0, 200);
}
