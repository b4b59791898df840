import { expect, test } from 'bun:test';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { detectDistribution, type DistributionId, distributionOf, DISTRIBUTIONS } from './distribution.ts';
import { viewHost } from './host-view.ts';

const CASES: ReadonlyArray<readonly [DistributionId, Readonly<Record<string, string>>]> = [
  ['eks-al2023', { '/etc/os-release': 'ID="amzn"\nVERSION_ID="2023"\n', '/etc/eks/containerd/x': '' }],
  ['plain', { '/etc/os-release': 'ID="amzn"\nVERSION_ID="2023"\n' }],
  [
    'bottlerocket',
    { '/etc/os-release': '-> /usr/lib/os-release', '/usr/lib/os-release': 'ID=bottlerocket\n' },
  ],
  ['talos', { '/usr/lib/os-release': 'NAME="Talos"\nID=talos\n' }],
  ['talos', { '/etc/cri/containerd.toml': '' }],
  ['k3s', { [DISTRIBUTIONS.k3s.configFile]: '' }],
  ['rke2', { [DISTRIBUTIONS.rke2.configFile]: '' }],
  ['k0s', { '/etc/k0s/containerd.toml': '' }],
  ['kind', { '/kind/version': 'v1.34.0' }],
  ['aks', { '/etc/os-release': 'ID=ubuntu\n', '/etc/kubernetes/azure.json': '{}' }],
  ['plain', { '/etc/os-release': 'ID=debian\n' }],
  ['plain', {}],
];

test.each(CASES)('detectDistribution() knows %s by its files', async (id, files) => {
  await using folder = await createHostFolder(files);
  expect((await detectDistribution(folder.host)).id).toBe(id);
});

const WHOLE = { '/etc/os-release': 'ID=debian\n' };
test.each<[what: string, Readonly<Record<string, string>>, DistributionId | undefined, boolean]>([
  ['a whole host without a kubelet', WHOLE, undefined, false],
  ['the same, named', WHOLE, 'plain', false],
  ['a host with a kubelet', { ...WHOLE, '/var/lib/kubelet/config.yaml': '' }, undefined, true],
  ['a host with files of kubeadm', { ...WHOLE, '/etc/kubernetes/kubelet.conf': '' }, undefined, true],
  ['what a pod has mounted', { '/etc/containerd/config.toml': '' }, undefined, true],
  ['a distribution', { ...WHOLE, '/kind/version': 'v1.34.0' }, undefined, true],
])('distributionOf() knows whether there is Kubernetes: %s', async (_what, files, named, isKubernetes) => {
  await using folder = await createHostFolder(files);
  const { host } = folder;
  expect(await distributionOf({ host, view: await viewHost(host) }, named)).toMatchObject({ isKubernetes });
});
