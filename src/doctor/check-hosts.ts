import { isSameHost } from '../mirror-config/asked-url.ts';
import { DEFAULT_FOLDER, foldersOf, impliedServerOf } from '../mirror-config/host-folder.ts';
import { formatHostsProblem, type HostsProblem } from '../mirror-config/hosts-problem.ts';
import type { HostsFolder } from '../mirror-config/read-hosts-folders.ts';
import { findKeyLine } from '../containerd-config/toml-lines.ts';
import { checkFolderNames, unreadBecause } from './check-folder-names.ts';
import { configureStep } from './configure-step.ts';
import type { Finding, Findings, FixStep } from './finding.ts';
import { type HostsFacts, isOneOf, isTargetAssumed, isWritten, mirrorTargets } from './mirror-targets.ts';

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
  const { folders } = facts;
  const targets = mirrorTargets(facts);
  const hasMirror = ({ hosts }: HostsFolder) =>
    hosts?.hosts.some(({ url }) => isOneOf(url, targets)) === true ||
    (hosts?.server !== undefined && isOneOf(hosts.server, targets));
  const configure = configureStep(facts, facts.configPath);
  const effective = effectiveFolders(folders).filter(({ registry }) => unreadBecause(registry) === undefined);
  const unread = checkFolderNames(folders);
  const unknown = effective
    .filter(({ isForbidden }) => isForbidden)
    .map(({ path }) => `${path} was not looked at: this user may not read it; run as root`);

  const findings: Finding[] = effective.flatMap((folder) => checkFolder(folder, configure));
  const readable = effective.filter(({ isForbidden }) => !isForbidden);
  if (!folders.some(isWritten) && !effective.some(hasMirror)) {
    if (unknown.length === 0) findings.push(missing(facts));
    return { findings: [...findings, ...unread], unknown };
  }
  const mirrorsAll = folders.some((folder) => folder.registry === DEFAULT_FOLDER && hasMirror(folder));
  for (const folder of readable) {
    const { name, registry, path, problem, text } = folder;
    // Of a file that 1.x ignores for want of hosts the folder still hides the one for all registries.
    if (problem !== undefined && problem.only1x !== 'no-host-table') continue;
    if (hasMirror(folder)) {
      findings.push(...checkOrder(folder, targets, configure));
      continue;
    }
    const seen = [
      `${path}: ${text === undefined ? 'absent, but the folder is there' : 'names no target of the mirror'}`,
    ];
    if (isWritten(folder)) {
      findings.push({
        id: 'hosts-stale',
        severity: 'error',
        what: `the hosts.toml of ${registry} was written for another target of the mirror`,
        seen: [
          `${path}: [host.'${folder.hosts?.hosts[0]?.url ?? ''}']`,
          `the mirror is ${targets.join(' ')}`,
        ],
        fix: configure,
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
        fix: configure,
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
        fix: configure,
      });
    }
  }
  return { findings: [...findings, ...unread], unknown };
}

/** Where something else writes hosts.toml files, one of their hosts may be the mirror by a name that is not known here. */
function missing(facts: HostsFacts): Finding {
  const { configPath, folders } = facts;
  const others = folders.flatMap(({ path, hosts }) =>
    (hosts?.hosts ?? []).map(({ url }) => `${path}: ${shown(url)}`),
  );
  const mayBeNamed = others.length > 0 && isTargetAssumed(facts);
  const names = folders.map(({ name }) => name).join(', ');
  return {
    id: 'hosts-missing',
    severity: mayBeNamed ? 'warning' : 'error',
    what: mayBeNamed
      ? 'no hosts.toml names a host on this node, where the mirror is expected: containerd never asks it, unless a host below is the mirror by another name'
      : 'no hosts.toml names the mirror: containerd never asks it',
    seen: [
      `${configPath}: ${folders.length === 0 ? 'no registry has a folder' : `folders of ${names}`}`,
      ...(mayBeNamed ? others : []),
    ],
    fix: configureStep(facts, configPath),
  };
}

/** Not what may be a password. */
function shown(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//…@');
}

/** Finds that the registry itself is asked before the mirror, or the mirror in place of the registry. */
function checkOrder(
  { registry, path, reading, text = '' }: HostsFolder,
  targets: readonly string[],
  configure: readonly FixStep[],
): Finding[] {
  const list = (reading?.hosts ?? []).flatMap(({ table }) => table ?? []);
  const server = reading?.server;
  const own = server ?? (registry === DEFAULT_FOLDER ? undefined : impliedServerOf(registry));
  const first = list.findIndex((url) => isOneOf(url, targets));
  const before = list.findIndex((url) => own !== undefined && isSameHost(own, url));
  const findings: Finding[] = [];
  if (before !== -1 && before < first) {
    findings.push({
      id: 'hosts-mirror-late',
      severity: 'warning',
      what: `the hosts.toml of ${registry} names the registry itself before the mirror: the mirror is asked only while the registry does not answer`,
      seen: [before, first].map((index) => `${path}: [host.'${shown(list[index] ?? '')}']`),
      fix: [{ do: 'note', text: `move the table of the mirror to the front of ${path}, or` }, ...configure],
    });
  }
  // default-with-server says it of _default.
  if (server !== undefined && registry !== DEFAULT_FOLDER && isOneOf(server, targets)) {
    const line = findKeyLine(text, ['server']);
    findings.push({
      id: 'hosts-server-is-mirror',
      severity: 'error',
      what: `the server of ${registry} is the mirror: what no node has is never asked of the registry, so its first pull fails`,
      seen: [`${path}${line === undefined ? '' : `:${line}`}: server = ${JSON.stringify(shown(server))}`],
      fix: [
        {
          do: 'note',
          text: `in ${path} make the mirror a host, before the registry as server`,
          lines: [
            ...(impliedServerOf(registry) === undefined ? [] : [`server = "${impliedServerOf(registry)}"`]),
            `[host."${targets.find((target) => isSameHost(target, server)) ?? ''}"]`,
            'capabilities = ["pull", "resolve"]',
          ],
        },
      ],
    });
  }
  return findings;
}

/** Finds folders of an earlier entry of config_path that hide those of the mirror's. */
export function checkEarlierFolders(
  facts: HostsFacts,
  earlier: ReadonlyArray<{ readonly configPath: string; readonly folders: readonly HostsFolder[] }>,
): Findings {
  const targets = mirrorTargets(facts);
  const findings = earlier.flatMap(({ configPath, folders }) =>
    folders
      .filter(({ registry, isForbidden }) => unreadBecause(registry) === undefined && !isForbidden)
      .filter(({ hosts }) => hosts?.hosts.some(({ url }) => isOneOf(url, targets)) !== true)
      .map(({ name, path }): Finding => ({
        id: 'config-path-shadowed',
        severity: 'error',
        what: `containerd looks into ${configPath} before ${facts.configPath}: the folder ${name} there hides the mirror`,
        seen: [path],
        fix: configureStep(facts, configPath),
      })),
  );
  return { findings, unknown: [] };
}

function checkFolder(folder: HostsFolder, configure: readonly FixStep[]): Finding[] {
  const { registry, path, problem, reading, text } = folder;
  if (problem !== undefined) return checkProblem(folder, problem, configure);
  const server = reading?.server;
  if (registry !== DEFAULT_FOLDER || server === undefined) return [];
  const line = findKeyLine(text ?? '', ['server']);
  return [
    {
      id: 'default-with-server',
      severity: 'error',
      what: `_default has a server: what no mirror has is asked of ${server} for every registry, whatever the image's name says`,
      seen: [`${path}${line === undefined ? '' : `:${line}`}: server = ${JSON.stringify(server)}`],
      fix:
        line === undefined
          ? [{ do: 'note', text: `remove server from ${path}` }]
          : [{ do: 'replace', file: path, first: line, last: line, lines: [] }],
    },
  ];
}

function checkProblem(
  { registry, path }: HostsFolder,
  problem: HostsProblem,
  configure: readonly FixStep[],
): Finding[] {
  const seen = [`${path}: ${formatHostsProblem(problem)}`];
  const correct: readonly FixStep[] = [
    { do: 'note', text: `correct ${path} or move it away, then` },
    ...configure,
  ];
  switch (problem.effect) {
    case 'fails-pulls':
      return [
        {
          id: 'hosts-unopenable',
          severity: 'error',
          what: `containerd cannot look for the hosts.toml of ${registry}: it fails each pull ${registry === DEFAULT_FOLDER ? 'from a registry without a folder of its own' : `from ${registry}`}`,
          seen,
          fix: [{ do: 'note', text: `move ${path} away, then` }, ...configure],
        },
      ];
    case 'crashes':
      return [
        {
          id: 'hosts-crash',
          severity: 'error',
          what: `containerd crashes when it reads the hosts.toml of ${registry}, so with each pull that needs it`,
          seen,
          fix: correct,
        },
      ];
    case 'ignores-file':
      // The look at the sections says what to do about an IPv6 address.
      if (problem.only1x === 'bracket') return [];
      return [
        {
          id: 'hosts-invalid',
          severity: problem.only1x === 'no-host-table' ? 'warning' : 'error',
          what: `the hosts.toml of ${registry} cannot be used: containerd goes on without mirrors`,
          seen,
          fix: correct,
        },
      ];
    case 'passes-over':
      break;
  }
  return [];
}
