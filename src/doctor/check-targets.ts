import type { Finding, Findings } from './finding.ts';
import type { HttpAsk } from './http-ask.ts';

/** What is known of the mirror's targets. */
export interface TargetFacts {
  readonly targets: readonly string[];
  /** True if this process has the network of the host, where containerd is. */
  readonly isHostNetwork: boolean;
}

/** Asks each target of the mirror as containerd does, from where containerd is. One that works is enough. */
export async function checkTargets({ targets, isHostNetwork }: TargetFacts, ask: HttpAsk): Promise<Findings> {
  const unknown: string[] = [];
  const failed: Finding[] = [];
  for (const target of targets) {
    const endpoint = endpointOf(target);
    if (endpoint === undefined) {
      unknown.push(`${target} was not asked: it is no http:// URL`);
      continue;
    }
    if (isLoopback(target) && !isHostNetwork) {
      unknown.push(`${target} was not asked: this process does not have the host's network`);
      continue;
    }
    const finding = await checkTarget(target, endpoint, ask);
    if (finding === undefined) return { findings: [], unknown };
    failed.push(finding);
  }
  return { findings: failed, unknown };
}

/** `host:port` of an http:// URL, undefined for another one. */
export function endpointOf(target: string): string | undefined {
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (url?.protocol !== 'http:') return undefined;
  return `${url.hostname}:${url.port === '' ? '80' : url.port}`;
}

async function checkTarget(target: string, endpoint: string, ask: HttpAsk): Promise<Finding | undefined> {
  try {
    const { status } = await ask(endpoint, { method: 'GET', path: '/readyz' });
    // 500 is a spegel whose router is not ready; whoever looks at the daemon says so.
    if (status === 200 || status === 500) return undefined;
    return {
      id: 'target-not-spegel',
      severity: 'error',
      what: `what answers at ${target} is no spegel: pulls that hosts.toml sends there are lost on it`,
      seen: [`GET ${target}/readyz: ${status}`],
      mend: [
        {
          do: 'note',
          text: `give the mirror a port of its own, or write its URL: spegel configure --mirror-targets …`,
        },
      ],
    };
  } catch (error) {
    return {
      id: 'target-unreachable',
      severity: 'error',
      what: `nothing answers at ${target}, where hosts.toml sends pulls: containerd goes on to upstream`,
      seen: [`GET ${target}/readyz: ${error instanceof Error ? error.message : String(error)}`],
      mend: [
        {
          do: 'note',
          text: "start spegel registry with that port, or map it to the node: the chart's service.registry.hostPort or nodePort; or write the URL at which it is reached",
          lines: ['spegel configure --mirror-targets http://127.0.0.1:<port>'],
        },
      ],
    };
  }
}

function isLoopback(target: string): boolean {
  const host = new URL(target).hostname;
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.');
}
