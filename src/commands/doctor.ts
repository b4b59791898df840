import { createContainerdClient } from '../containerd/containerd-client.ts';
import type { DaemonFacts } from '../doctor/check-daemon.ts';
import { type ExamineOptions, examineNode } from '../doctor/examine-node.ts';
import { formatReport, reportExitCode, reportJson } from '../doctor/format-report.ts';
import { runCanary } from './run-canary.ts';
import { PEERS_PATH } from '../routing/peers-report.ts';
import { createHostRoot } from '../runtime/host-root.ts';
import { askTarget } from './ask-target.ts';
import { askEndpoint } from './daemon-client.ts';
import { parsePeersReport } from './peers.ts';
import type { Output } from './question.ts';

/** What `spegel doctor` is told. */
export interface DoctorOptions extends ExamineOptions {
  /** Folder that is the host's `/`. */
  readonly hostRoot: string;
  readonly json: boolean;
  /** Has the running spegel run its canary, too. */
  readonly canary: boolean;
}

/** The daemon is on this node. */
const TIMEOUT_MS = 3000;

/** Looks at this node and prints what keeps the mirror from being used. Returns the exit code. Changes nothing that stays: the canary's image is removed again. */
export async function runDoctor(
  { hostRoot, json, canary, ...options }: DoctorOptions,
  { writeOut, look }: Output,
): Promise<number> {
  const report = await examineNode(
    {
      host: createHostRoot(hostRoot),
      connect: (socketPath, namespace) => createContainerdClient({ socketPath, namespace }),
      ask: askTarget,
      askDaemon,
      runCanary: canary ? runCanary : undefined,
    },
    options,
  );
  writeOut(json ? reportJson(report) : formatReport(report, look()));
  return reportExitCode(report.findings);
}

async function askDaemon(metricsAddr: string): Promise<DaemonFacts> {
  try {
    const get = async (path: string) => {
      const { status, bytes } = await askEndpoint(metricsAddr, { method: 'GET', path }, TIMEOUT_MS);
      if (status !== 200) throw new Error(`GET ${path}: ${status}: what answers there is no spegel`);
      return new TextDecoder().decode(bytes);
    };
    const { ready, peers, bootstrap } = parsePeersReport(JSON.parse(await get(PEERS_PATH)));
    const peerAddresses = peers.flatMap(({ addresses }) => addresses[0] ?? []);
    return { ready, peerAddresses, bootstrap, metrics: await get('/metrics') };
  } catch (error) {
    return { error };
  }
}
