import type { HostRoot } from '../runtime/host-root.ts';
import type { ContainerdProcess } from './containerd-process.ts';
import type { Distribution } from './distribution.ts';
import type { Finding, Findings, FixStep } from './finding.ts';
import { usesProxy } from './uses-proxy.ts';

/** What is compared with the containerd that runs. */
export interface ProcessFacts {
  readonly process: ContainerdProcess;
  readonly distribution: Distribution;
  /** The file that was looked at, and all that were read from there on. */
  readonly configFile: string;
  readonly configFiles: readonly string[];
  /** URLs of the mirror. */
  readonly targets: readonly string[];
}

/** Times of processes are known to the second; nobody restarts and edits within it. */
const TOLERANCE_SECONDS = 2;

/** Finds that the containerd that runs is not what its files say. */
export async function checkProcess(host: HostRoot, facts: ProcessFacts): Promise<Findings> {
  const { process, distribution, configFile, configFiles } = facts;
  const findings: Finding[] = [];
  if ((await host.locate(process.configFile)) !== (await host.locate(configFile))) {
    findings.push({
      id: 'config-of-another-containerd',
      severity: 'warning',
      what: 'the containerd that runs was started with another configuration file than the one that was looked at',
      seen: [`process ${process.pid}: --config ${process.configFile}`, `looked at: ${configFile}`],
      fix: [
        {
          do: 'note',
          text: 'look at that one',
          lines: [`spegel doctor --containerd-config ${process.configFile}`],
        },
      ],
    });
  } else findings.push(...(await checkRestart(host, process, configFiles, distribution)));
  findings.push(...checkProxy(facts));
  return { findings, unknown: [] };
}

async function checkRestart(
  host: HostRoot,
  process: ContainerdProcess,
  configFiles: readonly string[],
  distribution: Distribution,
): Promise<Finding[]> {
  const seen: string[] = [];
  for (const file of configFiles) {
    const changedAt = await host.modifiedAtSeconds(file).catch(() => undefined);
    if (changedAt !== undefined && changedAt > process.startedAtSeconds + TOLERANCE_SECONDS) {
      seen.push(`${file}: changed ${isoTime(changedAt)}`);
    }
  }
  if (seen.length === 0) return [];
  return [
    {
      id: 'containerd-not-restarted',
      severity: 'warning',
      what: "containerd's configuration was changed after it was started: it goes on with what it read then",
      seen: [...seen, `process ${process.pid}: started ${isoTime(process.startedAtSeconds)}`],
      fix: [{ do: 'run', command: distribution.restart }],
    },
  ];
}

function checkProxy({ process, distribution, targets }: ProcessFacts): Finding[] {
  const proxied = targets.flatMap((target) => {
    const proxy = URL.canParse(target) ? usesProxy(target, process.environment) : undefined;
    return proxy === undefined ? [] : [{ target, proxy }];
  });
  if (proxied.length === 0) return [];
  const hosts = Array.from(new Set(proxied.map(({ target }) => new URL(target).hostname)));
  const name = process.environment.get('NO_PROXY') === undefined ? 'no_proxy' : 'NO_PROXY';
  const before = process.environment.get(name);
  const value = [...(before ? [before] : []), ...hosts.map((host) => host.replace(/^\[(.*)\]$/, '$1'))].join(
    ',',
  );
  return [
    {
      id: 'mirror-through-proxy',
      severity: 'error',
      what: 'containerd asks the mirror through a proxy, which cannot reach it: pulls go upstream, or wait for the proxy',
      // Not the proxy's URL, which may have a password in it.
      seen: proxied.map(
        ({ target, proxy }) =>
          `process ${process.pid}: ${hostOf(proxy)} is asked for ${target}, NO_PROXY is ${JSON.stringify(before ?? '')}`,
      ),
      fix: noProxy(distribution, value),
    },
  ];
}

function noProxy(distribution: Distribution, value: string): readonly FixStep[] {
  const line = `NO_PROXY=${value}`;
  const restart: FixStep = { do: 'run', command: distribution.restart };
  switch (distribution.id) {
    case 'k3s':
    case 'rke2': {
      const file = `/etc/systemd/system/${distribution.id === 'k3s' ? 'k3s' : 'rke2-agent'}.service.env`;
      return [
        { do: 'note', text: `in the environment file of the service, such as ${file}`, lines: [line] },
        restart,
      ];
    }
    case 'talos':
      return [
        {
          do: 'note',
          text: 'in the machine configuration (talosctl patch machineconfig)',
          lines: ['machine:', '  env:', `    no_proxy: ${JSON.stringify(value)}`],
        },
        restart,
      ];
    case 'bottlerocket':
      return [
        { do: 'note', text: 'in the settings', lines: ['[settings.network]', `no-proxy = [${list(value)}]`] },
      ];
    case 'k0s':
      return [{ do: 'note', text: 'in the environment of the k0s service', lines: [line] }, restart];
    case 'aks':
    case 'eks-al2023':
    case 'kind':
    case 'plain':
      break;
  }
  return [
    {
      do: 'write',
      file: '/etc/systemd/system/containerd.service.d/zz-spegel-no-proxy.conf',
      lines: ['[Service]', `Environment="${line}" "no_proxy=${value}"`],
    },
    { do: 'run', command: 'systemctl daemon-reload' },
    restart,
  ];
}

function list(value: string): string {
  return value
    .split(',')
    .map((entry) => JSON.stringify(entry))
    .join(', ');
}

function hostOf(proxy: string): string {
  const url = proxy.includes('://') ? proxy : `http://${proxy}`;
  return URL.canParse(url) ? new URL(url).host : 'a proxy';
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
