import { DEFAULT_FOLDER, foldersOf } from '../containerd/host-folder.ts';
import type { HostsFolder } from '../containerd/read-hosts-folders.ts';
import { findKeyLine } from '../containerd/toml-lines.ts';
import type { Finding, Findings, MendStep } from './finding.ts';
import { isSameTarget } from './is-same-target.ts';

/** What is known of the registry configuration. */
export interface HostsFacts {
  /** The folder that spegel writes to, as the host names it. */
  readonly configPath: string;
  readonly folders: readonly HostsFolder[];
  /** --mirror-targets of the command; empty: told by what configure has written. */
  readonly targets: readonly string[];
  /** --mirrored-registries of the command, which a mend repeats; empty: all. */
  readonly mirroredRegistries: readonly string[];
  /** The target when nothing tells another one. */
  readonly defaultTarget: string;
}

/** The URLs of the mirror: those that were given, else those that `configure` wrote first into its files. */
export function mirrorTargets(facts: HostsFacts): readonly string[] {
  if (facts.targets.length > 0) return facts.targets;
  const written = writtenTargets(facts);
  return written.length > 0 ? Array.from(new Set(written)) : [facts.defaultTarget];
}

/** True if neither a flag nor a hosts.toml names a target, so that the default counts. */
export function isTargetAssumed(facts: HostsFacts): boolean {
  return facts.targets.length === 0 && writtenTargets(facts).length === 0;
}

function writtenTargets({ folders }: HostsFacts): readonly string[] {
  return folders
    .filter(({ author }) => author === 'spegel' || author === 'original')
    .flatMap(({ hosts }) => hosts?.hosts[0]?.url ?? []);
}

/** The folders that containerd takes: of the two that a registry may have, the first one. */
export function effectiveFolders(folders: readonly HostsFolder[]): readonly HostsFolder[] {
  const names = new Set(folders.map(({ name }) => name));
  return folders.filter(
    ({ name, registry }) =>
      registry === DEFAULT_FOLDER || foldersOf(registry).find((folder) => names.has(folder)) === name,
  );
}

/** Finds folders in which containerd does not find the mirror. */
export function checkHosts(facts: HostsFacts): Findings {
  const { folders, configPath } = facts;
  const targets = mirrorTargets(facts);
  const hasMirror = ({ hosts }: HostsFolder) =>
    hosts?.hosts.some(({ url }) => isOneOf(url, targets)) === true;
  const configure = configureStep(facts, configPath);

  const effective = effectiveFolders(folders);
  const findings: Finding[] = effective.flatMap((folder) => checkFolder(folder, configure));
  const written = folders.filter(({ author }) => author === 'spegel' || author === 'original');
  if (written.length === 0 && !effective.some(hasMirror)) {
    findings.push({
      id: 'hosts-missing',
      severity: 'error',
      what: 'no hosts.toml names the mirror: containerd never asks it',
      seen: [
        `${configPath}: ${folders.length === 0 ? 'no registry has a folder' : `folders of ${folders.map(({ name }) => name).join(', ')}`}`,
      ],
      mend: [configure],
    });
    return { findings, unknown: [] };
  }
  const mirrorsAll = folders.some((folder) => folder.registry === DEFAULT_FOLDER && hasMirror(folder));
  for (const folder of effective) {
    const { name, registry, path, author, problem, text } = folder;
    if (hasMirror(folder) || problem !== undefined) continue;
    const seen = [
      `${path}: ${text === undefined ? 'absent, but the folder is there' : 'names no target of the mirror'}`,
    ];
    if (author === 'spegel' || author === 'original') {
      findings.push({
        id: 'hosts-stale',
        severity: 'error',
        what: `the hosts.toml of ${registry} was written for another target of the mirror`,
        seen: [
          `${path}: [host.'${folder.hosts?.hosts[0]?.url ?? ''}']`,
          `the mirror is ${targets.join(' ')}`,
        ],
        mend: [configure],
      });
      continue;
    }
    const hidden = folders.find(
      (other) => other.registry === registry && other !== folder && hasMirror(other),
    );
    if (hidden !== undefined) {
      findings.push({
        id: 'hosts-shadowed',
        severity: 'error',
        what: `the folder ${name} hides ${hidden.name}: containerd looks into it first and then no further, so pulls from ${registry} never ask the mirror`,
        seen: [...seen, `${hidden.path}: names the mirror, is not read`],
        mend: [configure],
      });
    } else if (mirrorsAll || registry === DEFAULT_FOLDER) {
      findings.push({
        id: 'hosts-without-mirror',
        severity: 'error',
        what:
          registry === DEFAULT_FOLDER
            ? 'the hosts.toml for all other registries does not name the mirror'
            : `the folder ${name} hides _default: pulls from ${registry} never ask the mirror`,
        seen,
        mend: [configure],
      });
    }
  }
  return { findings, unknown: [] };
}

/** Finds folders of an earlier entry of config_path that hide those of the mirror's. */
export function checkEarlierFolders(
  facts: HostsFacts,
  earlier: ReadonlyArray<{ readonly configPath: string; readonly folders: readonly HostsFolder[] }>,
): Findings {
  const targets = mirrorTargets(facts);
  const findings = earlier.flatMap(({ configPath, folders }) =>
    folders
      .filter(({ hosts }) => hosts?.hosts.some(({ url }) => isOneOf(url, targets)) !== true)
      .map(({ name, path }): Finding => ({
        id: 'config-path-shadowed',
        severity: 'error',
        what: `containerd looks into ${configPath} before ${facts.configPath}: the folder ${name} there hides the mirror`,
        seen: [path],
        mend: [configureStep(facts, configPath)],
      })),
  );
  return { findings, unknown: [] };
}

/** What writes the mirror into the hosts.toml files below that folder. */
export function configureStep(facts: HostsFacts, configPath: string): MendStep {
  const { mirroredRegistries } = facts;
  const words = [
    'spegel configure',
    `--containerd-registry-config-path ${configPath}`,
    ...(mirroredRegistries.length === 0 ? [] : [`--mirrored-registries ${mirroredRegistries.join(' ')}`]),
    `--mirror-targets ${mirrorTargets(facts).join(' ')}`,
  ];
  return { do: 'run', command: words.join(' ') };
}

function checkFolder({ registry, path, problem, hosts, text }: HostsFolder, configure: MendStep): Finding[] {
  if (problem !== undefined) {
    return [
      {
        id: 'hosts-invalid',
        severity: 'error',
        what: `the hosts.toml of ${registry} cannot be used: containerd goes on without mirrors`,
        seen: [`${path}: ${problem}`],
        mend: [{ do: 'note', text: `correct ${path} or move it away, then` }, configure],
      },
    ];
  }
  if (registry !== DEFAULT_FOLDER || hosts?.server === undefined) return [];
  const line = findKeyLine(text ?? '', ['server']);
  return [
    {
      id: 'default-with-server',
      severity: 'error',
      what: `_default has a server: what no mirror has is asked of ${hosts.server} for every registry, whatever the image's name says`,
      seen: [`${path}${line === undefined ? '' : `:${line}`}: server = ${JSON.stringify(hosts.server)}`],
      mend:
        line === undefined
          ? [{ do: 'note', text: `remove server from ${path}` }]
          : [{ do: 'replace', file: path, first: line, last: line, lines: [] }],
    },
  ];
}

function isOneOf(url: string, targets: readonly string[]): boolean {
  return targets.some((target) => isSameTarget(target, url));
}
