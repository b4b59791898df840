import type { ContainerdVersion } from '../containerd/containerd-version.ts';
import type { HostSettings } from '../containerd/hosts-toml.ts';
import type { HostsFolder } from '../containerd/read-hosts-folders.ts';
import { findKeyLine } from '../containerd/toml-lines.ts';
import { parseTableHeader } from '../containerd/toml-tree.ts';
import type { HostRoot } from '../runtime/host-root.ts';
import { configureStep, effectiveFolders, type HostsFacts, mirrorTargets } from './check-hosts.ts';
import type { Finding, Findings } from './finding.ts';
import type { HostView } from './host-view.ts';
import { isSameTarget } from './is-same-target.ts';
import { readTargetTls, TargetTlsError } from './target-tls.ts';

/** What containerd knows; with another one it takes no notice of the whole file (parseHostConfig). */
const CAPABILITIES = new Set(['pull', 'resolve', 'push', 'referrers']);

/** Finds sections of hosts.toml files with which containerd does not ask the mirror, or cannot pull at all. */
export async function checkHostSections(
  node: { readonly host: HostRoot; readonly view: HostView },
  facts: HostsFacts,
  version: ContainerdVersion | undefined,
): Promise<Findings> {
  const targets = mirrorTargets(facts);
  const findings: Finding[] = [];
  const unknown: string[] = [];
  for (const folder of effectiveFolders(facts.folders)) {
    const { hosts, path, registry } = folder;
    if (hosts === undefined) continue;
    const brackets = version !== undefined && version.major < 2 ? checkBrackets(folder) : [];
    if (brackets.length > 0) {
      // What else is in the file does not matter: containerd does not get to it.
      findings.push(...brackets);
      continue;
    }
    const own = hosts.hosts.filter(({ url }) => targets.some((target) => isSameTarget(target, url)));
    const unusable = own.flatMap(({ url, settings }) =>
      unusableBecause(settings).map((why) => ({ url, why })),
    );
    // One target that containerd can use is enough.
    const isUsable = own.some(({ settings }) => unusableBecause(settings).length === 0);
    const isIgnored = hosts.hosts.some(({ settings }) => unknownCapability(settings) !== undefined);
    if (isIgnored || (own.length > 0 && !isUsable)) {
      const ignored = hosts.hosts.flatMap(({ url, settings }) => {
        const name = unknownCapability(settings);
        return name === undefined ? [] : [{ url, why: `no capability is named ${JSON.stringify(name)}` }];
      });
      findings.push({
        id: 'hosts-mirror-unusable',
        severity: 'error',
        what: isIgnored
          ? `the hosts.toml of ${registry} has a setting that containerd does not take: it goes on as if the file was not there`
          : `the hosts.toml of ${registry} names the mirror with settings by which containerd cannot pull from it`,
        seen: (isIgnored ? ignored : unusable).map(({ url, why }) => `${path}: [host.'${url}']: ${why}`),
        mend: isIgnored
          ? [{ do: 'note', text: `correct ${path}, then` }, configureStep(facts, facts.configPath)]
          : [configureStep(facts, facts.configPath)],
      });
    }
    const certificates = await checkCertificates(node, folder);
    findings.push(...certificates.findings);
    unknown.push(...certificates.unknown);
  }
  return { findings, unknown };
}

/** The TOML parser of containerd 1.x takes no bracket in the name of a section, quotes or not (go-toml 1, lexInsideTableKey). */
function checkBrackets({ path, registry, text = '' }: HostsFolder): Finding[] {
  const lines = text.split(/\r?\n/);
  const seen = lines.flatMap((line, index) =>
    parseTableHeader(line)?.some((key) => /[[\]]/.test(key)) === true
      ? [`${path}:${index + 1}: ${line.trim()}`]
      : [],
  );
  if (seen.length === 0) return [];
  return [
    {
      id: 'hosts-ipv6-unreadable',
      severity: 'error',
      what: `containerd 1.x cannot read a hosts.toml with an IPv6 address in the name of a section: it goes on as if that of ${registry} was not there`,
      seen,
      mend: [
        {
          do: 'note',
          text: "write a host name instead of the address, for the mirror with --mirror-targets of configure: localhost if it listens on the host itself, else a name that the node's /etc/hosts has for its address; or use containerd 2.x",
        },
      ],
    },
  ];
}

async function checkCertificates(
  node: { readonly host: HostRoot; readonly view: HostView },
  folder: HostsFolder,
): Promise<Findings> {
  const { hosts, path, registry, text = '' } = folder;
  const sections = hosts === undefined ? [] : [hosts, ...hosts.hosts];
  const seen = new Set<string>();
  const unknown = new Set<string>();
  for (const { settings } of sections) {
    try {
      await readTargetTls(node, path, settings);
    } catch (error) {
      if (!(error instanceof TargetTlsError)) throw error;
      (error.code === 'UNSEEN' ? unknown : seen).add(error.message);
    }
  }
  const line = findKeyLine(text, ['ca']) ?? findKeyLine(text, ['client']);
  const finding: Finding = {
    id: 'hosts-certificate-missing',
    severity: 'error',
    what: `the hosts.toml of ${registry} names a certificate that containerd cannot read: pulls from ${registry} fail`,
    seen: Array.from(seen),
    mend: [
      {
        do: 'note',
        text: `put the file there, or take the line out of ${path}${line === undefined ? '' : `:${line}`}`,
      },
    ],
  };
  return { findings: seen.size === 0 ? [] : [finding], unknown: Array.from(unknown) };
}

/** Capabilities do not matter: as long as any host may be pulled from, containerd asks all of them for content (dockerFetcher.Fetch). */
function unusableBecause({ override_path: overridePath }: HostSettings): readonly string[] {
  return overridePath === true ? ['override_path is true: the mirror is asked without /v2'] : [];
}

function unknownCapability({ capabilities }: HostSettings): string | undefined {
  return namesOf(capabilities).find((name) => !CAPABILITIES.has(name));
}

function namesOf(capabilities: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(capabilities) ? capabilities : [];
  return list.filter((name) => typeof name === 'string').map((name) => name.toLowerCase());
}
