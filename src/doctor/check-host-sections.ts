import type { AskedHost } from '../mirror-config/hosts-reading.ts';
import type { HostsFolder } from '../mirror-config/read-hosts-folders.ts';
import { findKeyLine } from '../containerd-config/toml-lines.ts';
import type { HostRoot } from '../runtime/host-root.ts';
import { effectiveFolders } from './check-hosts.ts';
import { configureStep } from './configure-step.ts';
import type { Finding, Findings } from './finding.ts';
import type { HostView } from './host-view.ts';
import { type HostsFacts, isOneOf, mirrorTargets } from './mirror-targets.ts';
import { readTargetTls, TargetTlsError } from './target-tls.ts';

/** Finds sections of hosts.toml files with which containerd does not ask the mirror, or cannot pull at all. */
export async function checkHostSections(
  node: { readonly host: HostRoot; readonly view: HostView },
  facts: HostsFacts,
): Promise<Findings> {
  const targets = mirrorTargets(facts);
  const findings: Finding[] = [];
  const unknown: string[] = [];
  for (const folder of effectiveFolders(facts.folders)) {
    const { path, registry, problem, reading } = folder;
    if (problem?.only1x === 'bracket') findings.push(unreadableAddress(folder, problem.line));
    // The look at the folders says so.
    if (reading === undefined || problem !== undefined) continue;
    const reasons = [
      ...reading.passedOver.map(({ url, why }) => ({ url, why })),
      ...reading.hosts.flatMap((host) =>
        host.table === undefined ? [] : [{ url: host.table, why: unusableBecause(host) }],
      ),
    ].filter(({ url }) => isOneOf(url, targets));
    // One target that containerd can use is enough.
    if (reasons.length > 0 && reasons.every(({ why }) => why !== undefined)) {
      findings.push({
        id: 'hosts-mirror-unusable',
        severity: 'error',
        what: `the hosts.toml of ${registry} names the mirror in a way by which containerd cannot pull from it`,
        seen: reasons.map(({ url, why }) => `${path}: [host.'${url}']: ${why}`),
        fix: configureStep(facts, facts.configPath),
      });
    }
    const certificates = await checkCertificates(node, folder, reading.hosts);
    findings.push(...certificates.findings);
    unknown.push(...certificates.unknown);
  }
  return { findings, unknown };
}

function unreadableAddress({ path, registry, text = '' }: HostsFolder, line = 1): Finding {
  return {
    id: 'hosts-ipv6-unreadable',
    severity: 'error',
    what: `containerd 1.x cannot read a hosts.toml with an IPv6 address in the name of a section: it goes on as if that of ${registry} was not there`,
    seen: [`${path}:${line}: ${text.split('\n')[line - 1]?.trim() ?? ''}`],
    fix: [
      {
        do: 'note',
        text: "write a host name instead of the address, for the mirror with --mirror-targets of configure: localhost if it listens on the host itself, else a name that the node's /etc/hosts has for its address; or use containerd 2.x",
      },
    ],
  };
}

async function checkCertificates(
  node: { readonly host: HostRoot; readonly view: HostView },
  { path, registry, text = '' }: HostsFolder,
  hosts: readonly AskedHost[],
): Promise<Findings> {
  const seen = new Set<string>();
  const unknown = new Set<string>();
  for (const host of hosts) {
    try {
      await readTargetTls(node, path, host);
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
    fix: [
      {
        do: 'note',
        text: `put the file there, or take the line out of ${path}${line === undefined ? '' : `:${line}`}`,
      },
    ],
  };
  return { findings: seen.size === 0 ? [] : [finding], unknown: Array.from(unknown) };
}

/** Capabilities do not matter: as long as any host may be pulled from, containerd asks all of them for content (dockerFetcher.Fetch). */
function unusableBecause({ path }: AskedHost): string | undefined {
  if (path === '/v2') return undefined;
  if (path === '') return 'override_path is true: the mirror is asked without /v2';
  return `the mirror is asked at ${path} instead of /v2`;
}
