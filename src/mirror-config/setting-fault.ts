import { type ContainerdVersion, isAtLeast } from '../containerd-config/containerd-version.ts';
import { goDurationProblem } from './go-duration.ts';
import { isTable } from './hosts-settings.ts';

/** What is wrong with the value of a setting. */
export interface SettingFault {
  readonly why: string;
  /** The key below its own. */
  readonly below?: string;
  /** True: the file cannot be decoded, whether the value is used or not. */
  readonly isType?: boolean;
}

type Check = (value: unknown, version: ContainerdVersion) => SettingFault | undefined;

const FLAG: Check = (value) =>
  typeof value === 'boolean'
    ? undefined
    : { why: 'it has to be true or false, without quotes', isType: true };

/** What parseHostsFile and parseHostConfig of core/remotes/docker/config take, by its key. */
const CHECKS: Readonly<Record<string, Check>> = {
  capabilities: (value, version) => {
    if (!isListOf(value, isText)) return { why: 'it has to be a list of texts', isType: true };
    const known = capabilitiesOf(version);
    const unknown = value.find((name) => !known.includes(name.toLowerCase()));
    if (unknown === undefined) return undefined;
    const { major, minor } = version;
    const only = `only ${known.slice(0, -1).join(', ')} and ${known.at(-1)}`;
    return { why: `containerd ${major}.${minor} knows no capability ${quote(unknown)}, ${only}` };
  },
  ca: (value) =>
    isText(value) || isListOf(value, isText)
      ? undefined
      : { why: 'it has to be a file name or a list of file names' },
  client: (value) =>
    isText(value) || isListOf(value, isClient)
      ? undefined
      : { why: 'it has to be a file name, or a list of file names or of pairs, [certificate, key]' },
  skip_verify: FLAG,
  override_path: FLAG,
  header: (value) => {
    if (!isTable(value)) return { why: 'it has to be a table', isType: true };
    const wrong = Object.entries(value).find(([, text]) => !isText(text) && !isListOf(text, isText));
    return wrong === undefined
      ? undefined
      : { why: 'it has to be a text or a list of texts', below: wrong[0] };
  },
  dial_timeout: (value, version) => {
    if (!hasDialTimeout(version)) return undefined;
    if (!isText(value)) return { why: 'it has to be a text, for example "200ms"', isType: true };
    const why = value === '' ? undefined : goDurationProblem(value);
    return why === undefined ? undefined : { why: `${quote(value)} ${why}; write for example "200ms"` };
  },
};

/** The settings of a host or of the server that containerd reads. */
export const SETTING_KEYS: readonly string[] = Object.keys(CHECKS);

/** What that version of containerd does not take of a setting's value, undefined if it takes it. */
export function settingFault(
  key: string,
  value: unknown,
  version: ContainerdVersion,
): SettingFault | undefined {
  return CHECKS[key]?.(value, version);
}

/** Every capability that the version knows, which is what a host has that names none. */
export function capabilitiesOf(version: ContainerdVersion): readonly string[] {
  return ['pull', 'resolve', 'push', ...(isAtLeast(version, 2, 2) ? ['referrers'] : [])];
}

/** False: the version reads no `dial_timeout`, and takes anything for it. */
export function hasDialTimeout(version: ContainerdVersion): boolean {
  return isAtLeast(version, 2, 1);
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

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
