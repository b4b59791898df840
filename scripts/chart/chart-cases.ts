import { join } from 'node:path';
import type { RenderOptions } from './render-chart.ts';

/** Where the golden files are, see golden-files.ts. */
export const GOLDEN_FOLDER = join(import.meta.dir, 'testdata');

const valuesOf = (name: string) => join(GOLDEN_FOLDER, `values-${name}.json`);

/** Values that name an image, which the chart does not render without. */
export const OWN_IMAGE = { image: { repository: 'registry.example/spegel' } };

const CASES: Readonly<Record<string, RenderOptions>> = {
  default: {},
  'untouched-v0.7.4': { valuesFiles: [valuesOf('spegel-v0.7.4')] },
  'untouched-successor': { valuesFiles: [valuesOf('spegel-successor')] },
  'internal-traffic-local': {
    valuesFiles: [valuesOf('spegel-successor')],
    values: { service: { registry: { internalTrafficLocal: true } } },
  },
  'without-zones': { values: { spegel: { zonesEnabled: false, zoneFromNode: true } } },
  'prefer-same-node': { values: { service: { registry: { usePreferSameNodeTrafficDistribution: true } } } },
  'own-image-by-digest': {
    values: {
      image: {
        repository: 'registry.example:5000/tools/mirror',
        tag: 'not-used',
        digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
        pullPolicy: 'Always',
      },
      imagePullSecrets: [{ name: 'pull' }],
    },
  },
  'host-network': { values: { hostNetwork: true, service: { registry: { port: 5500 } } } },
  names: {
    release: 'pulls',
    values: {
      nameOverride: 'mirror',
      namespaceOverride: 'elsewhere',
      commonLabels: { team: 'platform' },
      serviceAccount: { name: 'robot', annotations: { a: 'b' }, automountToken: true },
      clusterDomain: 'example.internal.',
    },
  },
  'without-mirror-configuration': {
    values: {
      fullnameOverride: 'p2p',
      spegel: { containerdMirrorAdd: false, persistence: { enabled: false }, doctor: { enabled: false } },
      extraInitContainers: [{ name: 'first', image: 'registry.example/first:1' }],
      networkPolicy: { enabled: true },
    },
  },
  // Above the hosts.toml folders is too much.
  'shared-configuration-folder': { values: { spegel: { containerdRegistryConfigPath: '/etc/certs.d' } } },
  'network-policy': {
    values: {
      networkPolicy: {
        enabled: true,
        registryFrom: [{ ipBlock: { cidr: '10.0.0.0/16' } }],
        metricsFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
      },
    },
  },
  'monitoring-sidecar': {
    apiVersions: ['autoscaling.k8s.io/v1'],
    values: {
      serviceMonitor: {
        enabled: true,
        labels: { release: 'prometheus' },
        relabelings: [{ sourceLabels: ['__meta_kubernetes_pod_node_name'], targetLabel: 'node' }],
        metricRelabelings: [{ sourceLabels: ['__name__'], regex: 'process_.*', action: 'drop' }],
      },
      prometheusRule: {
        enabled: true,
        labels: { release: 'prometheus' },
        alertLabels: { team: 'platform', severity: 'info' },
        disabledAlerts: ['SpegelEverythingMissed'],
        runbookUrl: 'https://docs.example/OPERATE',
      },
      grafanaDashboard: {
        enabled: true,
        labels: { grafana_dashboard: '1' },
        annotations: { grafana_folder: 'Nodes' },
      },
      verticalPodAutoscaler: {
        enabled: true,
        recommenders: [{ name: 'other' }],
        controlledResources: ['memory'],
        maxAllowed: { memory: '256Mi' },
        minAllowed: { memory: '128Mi' },
      },
    },
  },
  'monitoring-operator': {
    values: {
      prometheusRule: { enabled: true },
      grafanaDashboard: {
        enabled: true,
        mode: 'GrafanaOperator',
        grafanaOperator: { folder: 'Nodes', matchLabels: { dashboards: 'grafana' } },
      },
      // The cluster of this case has no such API.
      verticalPodAutoscaler: { enabled: true },
    },
  },
  // Of K3s: other paths, and most of what can be said about an image.
  everything: {
    values: {
      daemonsetAnnotations: { a: 'b' },
      podAnnotations: { c: 'd' },
      podSecurityContext: { seLinuxOptions: { type: 'spc_t' } },
      securityContext: { privileged: true },
      revisionHistoryLimit: 3,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } },
      nodeSelector: { pool: 'work' },
      tolerations: [{ operator: 'Exists' }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'gpu', operator: 'DoesNotExist' }] }],
          },
        },
      },
      resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '192Mi' } },
      priorityClassName: 'system-cluster-critical',
      basicAuthSecretName: 'mirror-login',
      swarmKeySecretName: 'mirror-swarm-key',
      livenessProbe: { enabled: true },
      extraVolumes: [{ name: 'scripts', configMap: { name: 'scripts' } }],
      extraInitContainers: [
        {
          name: 'first',
          image: 'registry.example/first:1',
          volumeMounts: [{ name: 'scripts', mountPath: '/s' }],
        },
      ],
      service: {
        registry: {
          nodeIp: '127.0.0.1',
          port: 5500,
          nodePort: 30100,
          hostPort: 30101,
          topologyAwareHintsEnabled: false,
          annotations: { e: 'f' },
        },
        router: { port: 5501 },
        metrics: { port: 9500, annotations: { g: 'h' } },
        bootstrap: { annotations: { i: 'j' } },
        cleanup: { port: 8500, annotations: { k: 'l' } },
      },
      spegel: {
        logLevel: 'debug',
        persistence: { path: '/data', hostPath: '/opt/spegel' },
        mirroredRegistries: ['https://docker.io', 'https://ghcr.io'],
        additionalMirrorTargets: ['https://cache.example'],
        mirrorResolveRetries: 5,
        mirrorResolveTimeout: '50ms',
        containerdSock: '/run/k3s/containerd/containerd.sock',
        containerdSockMount: 'Socket',
        containerdNamespace: 'other',
        containerdRegistryConfigPath: '/var/lib/rancher/k3s/agent/etc/containerd/certs.d',
        containerdContentPath: '/var/lib/rancher/k3s/agent/containerd/io.containerd.content.v1.content',
        resolveTags: false,
        registryFilters: [':latest$', String.raw`^docker\.io/`],
        prependExisting: true,
        debugWebEnabled: false,
        canaryEnabled: false,
        kernelTransportEnabled: false,
        maxUploads: 20,
        maxUploadRate: '200MB',
        scrubRate: 0,
        flightsEnabled: true,
        flightsMaxHold: '10s',
        zonesEnabled: true,
        zoneFromNode: true,
        membershipCheck: false,
        allowedNetworks: ['10.42.0.0/16', 'fd42::/48'],
        doctor: {
          hostPaths: ['/etc/k0s', '/run/k0s'],
          containerdConfig: '/etc/k0s/containerd.toml',
          distribution: 'k0s',
        },
      },
    },
  },
};

/** What the chart is rendered with, by the name of the golden file: the cases, with OWN_IMAGE unless they name an image. */
export const CHART_CASES: Readonly<Record<string, RenderOptions>> = Object.fromEntries(
  Object.entries(CASES).map(([name, options]) => [
    name,
    { ...options, values: { ...OWN_IMAGE, ...options.values } },
  ]),
);
