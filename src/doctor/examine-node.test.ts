import { expect, test } from 'bun:test';
import type { ContainerdClient, ContentInspector } from '../containerd/containerd-client.ts';
import { parseDigest } from '../oci/digest.ts';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { type ExamineOptions, examineNode } from './examine-node.ts';
import { PLAIN_LOOK } from '../terminal/look.ts';
import { formatReport, reportExitCode } from './format-report.ts';

const CONTENT = '/var/lib/containerd/io.containerd.content.v1.content';
const OPTIONS: ExamineOptions = {
  distribution: undefined,
  containerdConfig: undefined,
  registryConfigPath: '/etc/containerd/certs.d',
  socket: '/var/run/containerd/containerd.sock',
  contentPath: undefined,
  namespace: 'k8s.io',
  containerdVersion: undefined,
  mirrorTargets: ['http://127.0.0.1:30020'],
  mirroredRegistries: [],
  nodeAddresses: [],
  metricsAddr: '127.0.0.1:9090',
  registryPort: 5000,
};

function containerd(version: string): ContainerdClient & ContentInspector {
  const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
  return {
    version: async () => version,
    contentRoot: async () => CONTENT,
    listImages: async () => [{ name: 'docker.io/library/nginx:latest', target: digest }],
    getImage: async () => undefined,
    abortIngest: async () => false,
    contentSize: async () => undefined,
    listContent: async () => new Map(),
    pulledAtSeconds: async () => undefined,
    subscribe: async () => {},
    close: () => {},
  };
}

test('examineNode() finds nothing on a healthy host that it sees through a mount, links included', async () => {
  await using folder = await createHostFolder({
    '/var/run': '-> /run',
    '/etc/containerd/config.toml':
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/srv/certs"\n',
    '/etc/containerd/certs.d': '-> /srv/certs',
    '/srv/certs/_default/hosts.toml': "[host.'http://127.0.0.1:30020']\n",
    [`${CONTENT}/blobs/x`]: '',
  });
  const report = await examineNode(
    {
      host: folder.host,
      connect: () => containerd('1.7.20'),
      ask: async () => ({ status: 200, text: '' }),
      askDaemon: async () => ({
        ready: true,
        peerAddresses: ['10.0.0.2'],
        bootstrap: undefined,
        metrics: '',
      }),
    },
    OPTIONS,
  );
  expect(report.findings).toEqual([]);
  expect(reportExitCode(report.findings)).toBe(0);
  expect(report.unknown).toEqual([
    expect.stringContaining("containerd's process was not looked at"),
    "http://127.0.0.1:30020 was not asked: this process does not have the host's network",
  ]);
  expect(formatReport(report, PLAIN_LOOK)).toContain('containerd   1.7.20\n');
});

test('examineNode() says that the target is assumed when no hosts.toml names one, and that nothing answers there', async () => {
  await using folder = await createHostFolder({ '/etc/containerd/config.toml': 'version = 2\n' });
  const report = await examineNode(
    {
      host: { ...folder.host, folder: '/' },
      connect: () => containerd('1.7.20'),
      ask: async () => Promise.reject(new Error('connection refused')),
      askDaemon: async () => ({ error: new Error('down') }),
    },
    { ...OPTIONS, mirrorTargets: [] },
  );
  expect(report.findings.find(({ id }) => id === 'target-unreachable')).toMatchObject({
    what: 'nothing answers at http://127.0.0.1:5000, where the mirror is expected',
    seen: ['GET http://127.0.0.1:5000/readyz: connection refused'],
  });
  expect(formatReport(report, PLAIN_LOOK)).toContain(
    '\nmirror       http://127.0.0.1:5000 (assumed: no hosts.toml names one)\n',
  );
});

test.each<[what: string, Readonly<Record<string, string>>, isPlain: boolean]>([
  ['plain containerd', {}, true],
  ['Kubernetes', { '/var/lib/kubelet/config.yaml': '' }, false],
])('examineNode() gives advice on the chart with Kubernetes alone: %s', async (_what, files, isPlain) => {
  await using folder = await createHostFolder({
    '/etc/os-release': 'ID=debian\n',
    '/etc/containerd/config.toml':
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/elsewhere"\n',
    ...files,
  });
  const refusing = async () => Promise.reject(new Error('nothing answers'));
  const report = await examineNode(
    {
      // So that targets on loopback are asked.
      host: { ...folder.host, folder: '/' },
      connect: () => ({ ...containerd('1.7.20'), version: refusing }),
      ask: refusing,
      askDaemon: async () => ({
        ready: true,
        peerAddresses: ['10.0.0.2'],
        bootstrap: undefined,
        metrics: 'spegel_containerd_connected 0\n',
      }),
    },
    { ...OPTIONS, mirrorTargets: [] },
  );
  expect(report.findings.map(({ id }) => id)).toEqual([
    'containerd-unreachable',
    'content-unreadable',
    'config-path-mismatch',
    'hosts-missing',
    'target-unreachable',
    'daemon-without-containerd',
    'peers-unreachable',
  ]);
  const advice = report.findings.filter(({ fix }) =>
    /chart|helm|pod\b|NetworkPolicy|spegel:/.test(JSON.stringify(fix)),
  );
  expect(advice.map(({ id }) => id)).toEqual(isPlain ? [] : report.findings.map(({ id }) => id));
  expect(formatReport(report, PLAIN_LOOK)).toMatch(
    isPlain ? /^node +plain containerd, without Kubernetes$/m : /^node +no distribution that is known here$/m,
  );
});
