import { isSameHost, parseAskedUrl } from '../containerd/asked-url.ts';
import type { ContainerdVersion } from '../containerd/containerd-version.ts';
import type { HostSettings } from '../containerd/hosts-toml.ts';
import type { HostsFolder } from '../containerd/read-hosts-folders.ts';
import { findKeyLine } from '../containerd/toml-lines.ts';
import { parseTableHeader } from '../containerd/toml-tree.ts';
import type { HostRoot } from '../runtime/host-root.ts';
import { configureStep, effectiveFolders, type HostsFacts, mirrorTargets } from './check-hosts.ts';
import type { Finding, Findings } from './finding.ts';
import type { HostView } from './host-view.ts';
import { readTargetTls, TargetTlsError } from './target-tls.ts';

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
    const { hosts, path, registry, problem, passedOver } = folder;
    if (hosts === undefined) continue;
    const brackets = version !== undefined && version.major < 2 ? checkBrackets(folder) : [];
    if (brackets.length > 0) {
      // What else is in the file does not matter: containerd does not get to it.
      findings.push(...brackets);
      continue;
    }
    // The look at the folders says so.
    if (problem !== undefined) continue;
    const own = hosts.hosts.filter(({ url }) => targets.some((target) => isSameHost(target, url)));
    const reasons = own.map(({ url, settings }) => ({
      url,
      why: unusableBecause(url, settings, passedOver),
    }));
    // One target that containerd can use is enough.
    if (own.length > 0 && reasons.every(({ why }) => why !== undefined)) {
      findings.push({
        id: 'hosts-mirror-unusable',
        severity: 'error',
        what: `the hosts.toml of ${registry} names the mirror in a way by which containerd cannot pull from it`,
        seen: reasons.map(({ url, why }) => `${path}: [host.'${url}']: ${why}`),
        mend: configureStep(facts, facts.configPath),
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
function unusableBecause(
  url: string,
  { override_path: overridePath }: HostSettings,
  passedOver: readonly string[],
): string | undefined {
  if (passedOver.includes(url)) {
    return `containerd 2.x asks only hosts that are written as such a line of their own`;
  }
  const { path } = parseAskedUrl(url, overridePath === true);
  if (path === '/v2') return undefined;
  if (overridePath === true) return 'override_path is true: the mirror is asked without /v2';
  return `the mirror is asked at ${path} instead of /v2`;
}
