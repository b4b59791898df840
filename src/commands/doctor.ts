import { createContainerdClient } from '../containerd/containerd-client.ts';
import type { DaemonFacts } from '../doctor/check-daemon.ts';
import { type ExamineOptions, examineNode } from '../doctor/examine-node.ts';
import { formatReport, reportExitCode, reportJson } from '../doctor/format-report.ts';
import type { HttpAsk } from '../doctor/http-ask.ts';
import { askHttps } from '../http/ask-https.ts';
import { createHostRoot } from '../runtime/host-root.ts';
import { askEndpoint } from './daemon-client.ts';
import { parseEndpoint } from './endpoint.ts';
import { parsePeersReport } from './peers.ts';

/** What `spegel doctor` is told. */
export interface DoctorOptions extends ExamineOptions {
  /** Folder that is the host's `/`. */
  readonly hostRoot: string;
  readonly json: boolean;
}

/** Everything that is asked is on this node or one hop away. */
const TIMEOUT_MS = 3000;

/** Looks at this node and prints what keeps the mirror from being used. Returns the exit code. Changes nothing. */
export async function runDoctor(
  { hostRoot, json, ...options }: DoctorOptions,
  { writeOut }: { readonly writeOut: (text: string) => void },
): Promise<number> {
  const report = await examineNode(
    {
      host: createHostRoot(hostRoot),
      connect: (socketPath, namespace) => createContainerdClient({ socketPath, namespace }),
      ask,
      askDaemon,
    },
    options,
  );
  writeOut(json ? reportJson(report) : formatReport(report));
  return reportExitCode(report.findings);
}

const ask: HttpAsk = async (endpoint, { tls, ...request }) => {
  if (tls === undefined) return askEndpoint(endpoint, request, TIMEOUT_MS);
  const { ca, client, skipVerify } = tls;
  const identity = { ca, cert: client?.certificate, key: client?.key, skipVerify };
  return { status: await askHttps({ ...parseEndpoint(endpoint), ...request }, identity, TIMEOUT_MS) };
};

async function askDaemon(metricsAddr: string): Promise<DaemonFacts> {
  try {
    const get = async (path: string) => {
      const { status, bytes } = await askEndpoint(metricsAddr, { method: 'GET', path }, TIMEOUT_MS);
      if (status !== 200) throw new Error(`GET ${path}: ${status}: what answers there is no spegel`);
      return new TextDecoder().decode(bytes);
    };
    const { ready, peers } = parsePeersReport(JSON.parse(await get('/debug/peers')));
    const peerAddresses = peers.flatMap(({ addresses }) => addresses[0] ?? []);
    return { ready, peerAddresses, metrics: await get('/metrics') };
  } catch (error) {
    return { error };
  }
}
