import { InvalidAskedUrlError, isSameHost, parseAskedUrl } from '../containerd/asked-url.ts';
import { DEFAULT_FOLDER, foldersOf, impliedServerOf } from '../containerd/host-folder.ts';
import type { HostsFolder } from '../containerd/read-hosts-folders.ts';
import { findKeyLine } from '../containerd/toml-lines.ts';
import type { Distribution } from './distribution.ts';
import type { Finding, Findings, MendStep } from './finding.ts';
import { isLoopback } from './uses-proxy.ts';

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
  /** Addresses of this node beside those of loopback. */
  readonly nodeAddresses: readonly string[];
  readonly distribution: Distribution;
}

/**
 * The URLs of the mirror: those that were given, else those that `configure` wrote first into its files, else hosts on this node
 * in files that something else writes.
 */
export function mirrorTargets(facts: HostsFacts): readonly string[] {
  const told = toldTargets(facts);
  return told.length > 0 ? Array.from(new Set(told)) : [facts.defaultTarget];
}

/** True if neither a flag nor a hosts.toml names a target, so that the default counts. */
export function isTargetAssumed(facts: HostsFacts): boolean {
  return toldTargets(facts).length === 0;
}

function toldTargets({ targets, folders, nodeAddresses }: HostsFacts): readonly string[] {
  if (targets.length > 0) return targets.map((url) => originOf(url) ?? url);
  const written = folders.filter(isWritten).flatMap(({ hosts }) => hosts?.hosts[0]?.url ?? []);
  if (written.length > 0) return written.map((url) => originOf(url) ?? url);
  return folders.flatMap(({ registry, hosts }) =>
    (hosts?.hosts ?? []).flatMap(({ url }) => {
      const origin = originOf(url);
      // A registry on this machine is not its own mirror.
      const isMirror = origin !== undefined && new URL(origin).host !== registry;
      return isMirror && isOnNode(origin, nodeAddresses) ? [origin] : [];
    }),
  );
}

function isWritten({ author }: HostsFolder): boolean {
  return author === 'spegel' || author === 'original';
}

/** The URL as configure takes it, without `/v2`; undefined for what cannot be a mirror's. */
function originOf(url: string): string | undefined {
  try {
    const { scheme, host, path } = parseAskedUrl(url, true);
    const origin = `${scheme}://${host}`;
    return ['', '/', '/v2'].includes(path) && URL.canParse(origin) ? origin : undefined;
  } catch (error) {
    if (!(error instanceof InvalidAskedUrlError)) throw error;
    return undefined;
  }
}

function isOnNode(origin: string, nodeAddresses: readonly string[]): boolean {
  const address = new URL(origin).hostname.replace(/^\[(.*)\]$/, '$1');
  return isLoopback(address) || nodeAddresses.includes(address);
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
  const { folders } = facts;
  const targets = mirrorTargets(facts);
  const hasMirror = ({ hosts }: HostsFolder) =>
    hosts?.hosts.some(({ url }) => isOneOf(url, targets)) === true ||
    (hosts?.server !== undefined && isOneOf(hosts.server, targets));
  const configure = configureStep(facts, facts.configPath);
  const effective = effectiveFolders(folders).filter(({ registry }) => unreadBecause(registry) === undefined);
  const unread = checkUnread(folders);
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
    if (problem !== undefined) continue;
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
        mend: configure,
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
        mend: configure,
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
        mend: configure,
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
    mend: configureStep(facts, configPath),
  };
}

/** Not what may be a password. */
function shown(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//…@');
}

/** Finds that the registry itself is asked before the mirror, or the mirror in place of the registry. */
function checkOrder(
  { registry, path, hosts, text = '' }: HostsFolder,
  targets: readonly string[],
  configure: readonly MendStep[],
): Finding[] {
  const list = hosts?.hosts ?? [];
  const server = hosts?.server;
  const own = server ?? (registry === DEFAULT_FOLDER ? undefined : impliedServerOf(registry));
  const first = list.findIndex(({ url }) => isOneOf(url, targets));
  const before = list.findIndex(({ url }) => own !== undefined && isSameHost(own, url));
  const findings: Finding[] = [];
  if (before !== -1 && before < first) {
    findings.push({
      id: 'hosts-mirror-late',
      severity: 'warning',
      what: `the hosts.toml of ${registry} names the registry itself before the mirror: the mirror is asked only while the registry does not answer`,
      seen: [before, first].map((index) => `${path}: [host.'${shown(list[index]?.url ?? '')}']`),
      mend: [{ do: 'note', text: `move the table of the mirror to the front of ${path}, or` }, ...configure],
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
      mend: [
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

/** Names by which Docker Hub is known, while its images have the registry `docker.io`. */
const DOCKER_HUB = new Set(['registry-1.docker.io', 'index.docker.io', 'registry.docker.io']);

/** Why containerd never looks for a folder of that name, undefined if it does. */
function unreadBecause(registry: string): string | undefined {
  if (DOCKER_HUB.has(registry)) {
    return 'images of Docker Hub have the registry docker.io, wherever they come from';
  }
  if (registry === DEFAULT_FOLDER || /[.:[]/.test(registry) || registry === 'localhost') return undefined;
  return "the first part of an image's name is a registry only with a dot or a port; the folder for all registries is _default";
}

/** Finds folders that containerd never looks into, or only for names that are unusual. */
function checkUnread(folders: readonly HostsFolder[]): Finding[] {
  const names = new Set(folders.map(({ registry }) => registry));
  return folders.flatMap(({ registry, path, isFatal }) => {
    const why = unreadBecause(registry);
    const right = DOCKER_HUB.has(registry) ? 'docker.io' : DEFAULT_FOLDER;
    const [, host] = /^(.+):(?:443|80)$/.exec(registry) ?? [];
    if (why === undefined && (host === undefined || names.has(host) || isFatal)) return [];
    return [
      {
        id: 'hosts-folder-unread',
        severity: why === undefined ? 'info' : 'warning',
        what:
          why === undefined
            ? `the folder of ${registry} counts for images whose name has that port, and not for those of ${host}`
            : `containerd never looks into the folder ${registry}: ${why}`,
        seen: [path],
        mend: [
          {
            do: 'note',
            text:
              why === undefined
                ? `nothing, if names of images have the port; else name the folder ${host}`
                : `name the folder ${right}, or remove it`,
          },
        ],
      } satisfies Finding,
    ];
  });
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
        mend: configureStep(facts, configPath),
      })),
  );
  return { findings, unknown: [] };
}

/** What writes the mirror into the hosts.toml files below that folder. */
export function configureStep(facts: HostsFacts, configPath: string): readonly MendStep[] {
  const { mirroredRegistries, distribution } = facts;
  const isAssumed = isTargetAssumed(facts);
  // The port on the node is the chart's, and not the one on which the mirror listens in its pod.
  const isPortOpen = isAssumed && distribution.isKubernetes;
  const targets = isPortOpen ? ['http://127.0.0.1:<port>'] : mirrorTargets(facts);
  const port =
    "<port> is the one at which the node reaches the mirror: the chart's service.registry.hostPort or nodePort";
  if (distribution.id === 'bottlerocket') {
    return [
      {
        do: 'note',
        text: `in the settings of Bottlerocket, which writes the files itself, once per registry${isPortOpen ? `; ${port}` : ''}`,
        lines: [
          '[[settings.container-registry.mirrors]]',
          'registry = "docker.io"',
          `endpoint = [${targets.map((target) => JSON.stringify(target)).join(', ')}]`,
        ],
      },
    ];
  }
  const words = [
    'spegel configure',
    `--containerd-registry-config-path ${configPath}`,
    ...(mirroredRegistries.length === 0 ? [] : [`--mirrored-registries ${mirroredRegistries.join(' ')}`]),
    `--mirror-targets ${targets.join(' ')}`,
  ];
  return [
    ...(isPortOpen ? [{ do: 'note', text: port } as const] : []),
    { do: 'run', command: words.join(' ') },
  ];
}

function checkFolder(
  { registry, path, problem, isFatal, hosts, text }: HostsFolder,
  configure: readonly MendStep[],
): Finding[] {
  if (problem !== undefined && isFatal) {
    return [
      {
        id: 'hosts-unopenable',
        severity: 'error',
        what: `containerd cannot look for the hosts.toml of ${registry}: it fails each pull ${registry === DEFAULT_FOLDER ? 'from a registry without a folder of its own' : `from ${registry}`}`,
        seen: [`${path}: ${problem}`],
        mend: [{ do: 'note', text: `move ${path} away, then` }, ...configure],
      },
    ];
  }
  if (problem !== undefined) {
    return [
      {
        id: 'hosts-invalid',
        severity: 'error',
        what: `the hosts.toml of ${registry} cannot be used: containerd goes on without mirrors`,
        seen: [`${path}: ${problem}`],
        mend: [{ do: 'note', text: `correct ${path} or move it away, then` }, ...configure],
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
  return targets.some((target) => isSameHost(target, url));
}
