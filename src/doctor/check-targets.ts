import { isSameHost } from '../mirror-config/asked-url.ts';
import type { AskedHost } from '../mirror-config/hosts-reading.ts';
import type { HostsFolder } from '../mirror-config/read-hosts-folders.ts';
import type { HostRoot } from '../runtime/host-root.ts';
import type { Finding, Findings } from './finding.ts';
import type { HostView } from './host-view.ts';
import type { HttpAsk } from './http-ask.ts';
import { readSystemCa, readTargetTls, type TargetTls, TargetTlsError } from './target-tls.ts';
import { isLoopback } from './uses-proxy.ts';

/** What is known of the mirror's targets. */
export interface TargetFacts {
  readonly targets: readonly string[];
  readonly folders: readonly HostsFolder[];
  /** True if this process has the network of the host, where containerd is. */
  readonly isHostNetwork: boolean;
  /** See Distribution. */
  readonly isKubernetes: boolean;
}

/** A target to ask for more, as containerd does. */
export interface AskableTarget {
  /** `host:port`, IPv6 in brackets. */
  readonly endpoint: string;
  readonly tls: TargetTls | undefined;
  /** The header that hosts.toml has for it. */
  readonly authorization: string | undefined;
}

/** Asks each target of the mirror as containerd does, from where containerd is. One that works is enough, and is returned. */
export async function checkTargets(
  node: { readonly host: HostRoot; readonly view: HostView },
  { targets, folders, isHostNetwork, isKubernetes }: TargetFacts,
  ask: HttpAsk,
): Promise<Findings & { readonly working: AskableTarget | undefined }> {
  const unknown: string[] = [];
  const findings: Finding[] = [];
  for (const target of targets) {
    const url = URL.canParse(target) ? new URL(target) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      unknown.push(`${target} was not asked: it is no http:// or https:// URL`);
      continue;
    }
    if (isLoopback(url.hostname.replace(/^\[(.*)\]$/, '$1')) && !isHostNetwork) {
      unknown.push(`${target} was not asked: this process does not have the host's network`);
      continue;
    }
    const isTls = url.protocol === 'https:';
    const isWritten = writtenIn(folders).some(({ table = '' }) => isSameHost(table, target));
    const endpoint = `${url.hostname}:${url.port || (isTls ? '443' : '80')}`;
    try {
      const askable = {
        endpoint,
        tls: isTls ? await tlsOf(node, folders, target) : undefined,
        authorization: authorizationOf(folders, target),
      };
      const finding = await checkTarget(target, askable, { isHostNetwork, isKubernetes, isWritten }, ask);
      if (finding === undefined) return { findings: [], unknown, working: askable };
      findings.push(finding);
    } catch (error) {
      if (!(error instanceof TargetTlsError)) throw error;
      // Whoever looks at the files says so.
      unknown.push(`${target} was not asked: ${error.message}`);
    }
  }
  return { findings, unknown, working: undefined };
}

/** The TLS settings of the first hosts.toml that has the target, with the node's own authorities, as containerd has them. */
async function tlsOf(
  node: { readonly host: HostRoot; readonly view: HostView },
  folders: readonly HostsFolder[],
  target: string,
): Promise<TargetTls> {
  const system = await readSystemCa(node.host);
  for (const { path, written } of folders) {
    const host = written.find(({ table = '' }) => isSameHost(table, target));
    if (host === undefined) continue;
    const tls = await readTargetTls(node, path, host);
    return { ...tls, ca: system === undefined ? tls.ca : [system, ...tls.ca] };
  }
  return { ca: system === undefined ? [] : [system], client: undefined, skipVerify: false };
}

function writtenIn(folders: readonly HostsFolder[]): readonly AskedHost[] {
  return folders.flatMap(({ written }) => written);
}

/** What containerd sends to the target, by the first hosts.toml that has it. */
function authorizationOf(folders: readonly HostsFolder[], target: string): string | undefined {
  const host = writtenIn(folders).find(({ table = '' }) => isSameHost(table, target));
  const entries = Object.entries(host?.header ?? {});
  const [text] = entries.find(([name]) => name.toLowerCase() === 'authorization')?.[1] ?? [];
  // What no header can have is not sent.
  return text !== undefined && /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}

function refused(target: string, authorization: string | undefined, isKubernetes: boolean): Finding {
  const also = isKubernetes
    ? 'in the chart basicAuthSecretName, and restart the pods when the secret has changed'
    : 'and restart spegel when they have changed';
  const sent = authorization === undefined ? 'no password' : 'a password';
  return {
    id: 'mirror-refuses-containerd',
    severity: 'error',
    what: 'the mirror wants another password than hosts.toml has: containerd is refused, and goes on to upstream',
    seen: [`GET ${target}/v2/ with ${sent} in hosts.toml: 401`],
    fix: [
      {
        do: 'note',
        text: `give configure and registry the same files username and password, then run configure; ${also}`,
        lines: ['spegel configure --basic-auth-dir … --mirror-targets …'],
      },
    ],
  };
}

async function checkTarget(
  target: string,
  { endpoint, tls, authorization }: AskableTarget,
  {
    isHostNetwork,
    isKubernetes,
    isWritten,
  }: Pick<TargetFacts, 'isHostNetwork' | 'isKubernetes'> & { readonly isWritten: boolean },
  ask: HttpAsk,
): Promise<Finding | undefined> {
  try {
    const { status } = await ask(endpoint, { method: 'GET', path: '/readyz', tls });
    // 500 is a spegel whose router is not ready; whoever looks at the daemon says so.
    if (status === 200 || status === 500) {
      const headers = authorization === undefined ? {} : { Authorization: authorization };
      const answer = await ask(endpoint, { method: 'GET', path: '/v2/', headers, tls });
      return answer.status === 401 ? refused(target, authorization, isKubernetes) : undefined;
    }
    return {
      id: 'target-not-spegel',
      severity: 'error',
      what: `what answers at ${target} is no spegel: pulls that hosts.toml sends there are lost on it`,
      seen: [`GET ${target}/readyz: ${status}`],
      fix: [
        {
          do: 'note',
          text: `give the mirror a port of its own, or write its URL: spegel configure --mirror-targets …`,
        },
      ],
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // A warning from a pod: some networks keep it from its own node's ports and let the node through.
    return {
      id: 'target-unreachable',
      severity: isHostNetwork ? 'error' : 'warning',
      what: isWritten
        ? `nothing answers at ${target}, where hosts.toml sends pulls: containerd goes on to upstream`
        : `nothing answers at ${target}, where the mirror is expected`,
      seen: [
        `GET ${target}/readyz: ${reason}${isHostNetwork ? '' : ' (asked from this pod; the node itself may reach it)'}`,
      ],
      fix: [
        {
          do: 'note',
          text: isKubernetes
            ? "start spegel registry with that port, or map it to the node: the chart's service.registry.hostPort or nodePort; or write the URL at which it is reached"
            : 'start spegel registry with that port, or write the URL at which it is reached',
          lines: ['spegel configure --mirror-targets http://127.0.0.1:<port>'],
        },
      ],
    };
  }
}
