import { expect, test } from 'bun:test';
import { createHostFolder } from '../runtime/testing/host-folder.ts';
import { detectDistribution, type DistributionId, DISTRIBUTIONS } from './distribution.ts';

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
