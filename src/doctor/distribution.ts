import type { HostRoot } from '../runtime/host-root.ts';
import type { HostView } from './host-view.ts';

/** A Kubernetes distribution that keeps containerd's configuration in a way of its own; `plain` is any other. */
export type DistributionId =
  | 'eks-al2023'
  | 'bottlerocket'
  | 'k0s'
  | 'k3s'
  | 'rke2'
  | 'kind'
  | 'talos'
  | 'aks'
  | 'plain';

/** Where a distribution has what. Paths are the host's. */
export interface Distribution {
  readonly id: DistributionId;
  readonly name: string;
  /** False: containerd without Kubernetes, so that there is no chart. */
  readonly isKubernetes: boolean;
  /** The file that containerd is started with. */
  readonly configFile: string;
  readonly socket: string;
  readonly contentPath: string;
  /** The folder of hosts.toml folders. */
  readonly registryConfigPath: string;
  /** What makes containerd read its configuration anew. */
  readonly restart: string;
}

const CONTENT_FOLDER = 'io.containerd.content.v1.content';
const COMMON = {
  isKubernetes: true,
  configFile: '/etc/containerd/config.toml',
  socket: '/run/containerd/containerd.sock',
  contentPath: `/var/lib/containerd/${CONTENT_FOLDER}`,
  registryConfigPath: '/etc/containerd/certs.d',
  restart: 'systemctl restart containerd',
};

const rancher = (id: 'k3s' | 'rke2', restart: string) => ({
  isKubernetes: true,
  configFile: `/var/lib/rancher/${id}/agent/etc/containerd/config.toml`,
  socket: '/run/k3s/containerd/containerd.sock',
  contentPath: `/var/lib/rancher/${id}/agent/containerd/${CONTENT_FOLDER}`,
  registryConfigPath: `/var/lib/rancher/${id}/agent/etc/containerd/certs.d`,
  restart,
});

/** All of them, by ID. */
export const DISTRIBUTIONS: Readonly<Record<DistributionId, Distribution>> = {
  'eks-al2023': { id: 'eks-al2023', name: 'EKS on Amazon Linux 2023', ...COMMON },
  bottlerocket: { id: 'bottlerocket', name: 'Bottlerocket', ...COMMON, restart: 'apiclient reboot' },
  k0s: {
    id: 'k0s',
    name: 'k0s',
    ...COMMON,
    configFile: '/etc/k0s/containerd.toml',
    socket: '/run/k0s/containerd.sock',
    contentPath: `/var/lib/k0s/containerd/${CONTENT_FOLDER}`,
    restart: 'k0s stop && k0s start',
  },
  k3s: {
    id: 'k3s',
    name: 'K3s',
    ...rancher('k3s', 'systemctl restart k3s  # or k3s-agent'),
  },
  rke2: {
    id: 'rke2',
    name: 'RKE2',
    ...rancher('rke2', 'systemctl restart rke2-agent  # or rke2-server'),
  },
  kind: { id: 'kind', name: 'kind', ...COMMON },
  talos: {
    id: 'talos',
    name: 'Talos',
    ...COMMON,
    configFile: '/etc/cri/containerd.toml',
    registryConfigPath: '/etc/cri/conf.d/hosts',
    restart: 'talosctl reboot',
  },
  aks: { id: 'aks', name: 'AKS', ...COMMON },
  plain: { id: 'plain', name: 'no distribution that is known here', ...COMMON },
};

/** The one without Kubernetes. Its ID is that of any distribution that is not known. */
const PLAIN_CONTAINERD: Distribution = {
  ...DISTRIBUTIONS.plain,
  name: 'plain containerd, without Kubernetes',
  isKubernetes: false,
};

/** What a kubelet leaves on its node, however it was set up. */
const KUBELET_PATHS = ['/var/lib/kubelet', '/etc/kubernetes', '/var/snap/microk8s'];

/** Their IDs. */
export const DISTRIBUTION_IDS = Object.keys(DISTRIBUTIONS) as readonly DistributionId[];

/**
 * The distribution that was named, else the one that the files tell. One that is not known has Kubernetes if there is a
 * kubelet, or if not all of the host can be seen, as in the chart's pods.
 */
export async function distributionOf(
  { host, view }: { readonly host: HostRoot; readonly view: HostView },
  named: DistributionId | undefined,
): Promise<Distribution> {
  const distribution = named === undefined ? await detectDistribution(host) : DISTRIBUTIONS[named];
  if (distribution.id !== 'plain' || !view.isWhole) return distribution;
  for (const path of KUBELET_PATHS) {
    if ((await host.kind(path).catch(() => 'other')) !== 'absent') return distribution;
  }
  return PLAIN_CONTAINERD;
}

/** Tells the distribution by its files and os-release(5). What cannot be read counts as absent. */
export async function detectDistribution(host: HostRoot): Promise<Distribution> {
  const release = await readRelease(host);
  const has = async (path: string) => (await host.kind(path).catch(() => 'absent')) !== 'absent';
  const id = release.get('ID');
  if (id === 'bottlerocket') return DISTRIBUTIONS.bottlerocket;
  if (id === 'talos') return DISTRIBUTIONS.talos;
  for (const rancher of [DISTRIBUTIONS.k3s, DISTRIBUTIONS.rke2]) {
    if (await has(rancher.configFile)) return rancher;
  }
  if ((await has(DISTRIBUTIONS.k0s.configFile)) || (await has('/var/lib/k0s'))) return DISTRIBUTIONS.k0s;
  if (await has('/kind/version')) return DISTRIBUTIONS.kind;
  if (id === 'amzn' && release.get('VERSION_ID') === '2023' && (await has('/etc/eks'))) {
    return DISTRIBUTIONS['eks-al2023'];
  }
  // os-release is not among what a pod has mounted.
  if (await has(DISTRIBUTIONS.talos.configFile)) return DISTRIBUTIONS.talos;
  if ((await has('/etc/kubernetes/azure.json')) || (await has('/opt/azure'))) return DISTRIBUTIONS.aks;
  return DISTRIBUTIONS.plain;
}

async function readRelease(host: HostRoot): Promise<ReadonlyMap<string, string>> {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    const text = await host.readText(path).catch(() => undefined);
    if (text === undefined) continue;
    return new Map(
      Array.from(text.matchAll(/^([A-Z_]+)=["']?([^"'\n]*)["']?$/gm), ([, key = '', value = '']) => [
        key,
        value,
      ]),
    );
  }
  return new Map();
}
