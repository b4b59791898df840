import {
  PrometheusRule,
  ServiceMonitor,
} from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { DaemonSet } from 'kubernetes-models/apps/v1';
import { Job } from 'kubernetes-models/batch/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { ClusterRole, ClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1';
import { ConfigMap, Namespace, Service, ServiceAccount } from 'kubernetes-models/v1';
import type { Manifest } from './manifest.ts';

/** A kind with a compiled JSON schema of the Kubernetes API; `validate` throws an error that lists what is wrong. */
interface Model {
  readonly prototype: { validate(this: unknown): void };
}

const MODELS: Readonly<Record<string, Model>> = {
  'apps/v1 DaemonSet': DaemonSet,
  'batch/v1 Job': Job,
  'v1 ConfigMap': ConfigMap,
  'v1 Namespace': Namespace,
  'v1 Service': Service,
  'v1 ServiceAccount': ServiceAccount,
  'networking.k8s.io/v1 NetworkPolicy': NetworkPolicy,
  'rbac.authorization.k8s.io/v1 ClusterRole': ClusterRole,
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': ClusterRoleBinding,
  'monitoring.coreos.com/v1 PrometheusRule': PrometheusRule,
  'monitoring.coreos.com/v1 ServiceMonitor': ServiceMonitor,
};

/** For kinds whose schema no package has: the fields of their API reference that a chart may write, as globs. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'autoscaling.k8s.io/v1 VerticalPodAutoscaler': [
    'spec/targetRef/{apiVersion,kind,name}',
    'spec/recommenders/*/name',
    'spec/updatePolicy/{minReplicas,updateMode}',
    'spec/resourcePolicy/containerPolicies/*/{containerName,controlledValues}',
    'spec/resourcePolicy/containerPolicies/*/{controlledResources,minAllowed,maxAllowed}/*',
  ],
  'grafana.integreatly.org/v1beta1 GrafanaDashboard': [
    'spec/{allowCrossNamespaceImport,resyncPeriod,folder,json}',
    'spec/instanceSelector/matchLabels/*',
  ],
};
const COMMON_FIELDS = ['apiVersion', 'kind', 'metadata/{name,namespace}', 'metadata/{labels,annotations}/*'];

/**
 * What the API server would refuse or drop: a value of the wrong type, a field that is missing, a field that the kind
 * does not have. Empty if all is well.
 */
export function validateManifest(manifest: Manifest): readonly string[] {
  const kind = `${manifest.apiVersion} ${manifest.kind}`;
  const fields = FIELDS[kind];
  if (fields !== undefined) return findUnlisted(manifest, [...COMMON_FIELDS, ...fields]);
  const model = MODELS[kind];
  if (model === undefined) return [`there is no schema for ${kind}`];
  const read = new Set<string>();
  const wrong = validate(model, recordReads(manifest, '', read));
  return [...wrong, ...findUnread(manifest, '', read).map((path) => `${path} is no field`)];
}

function validate(model: Model, manifest: Manifest): readonly string[] {
  try {
    // Without an instance: making one would copy the manifest, and so read all of it.
    model.prototype.validate.call(manifest);
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/**
 * The schemas let fields through that they do not name, as a cluster would that stores them nowhere. But a compiled
 * schema reads every field that it names, so a field that was not read is none.
 */
function recordReads<T>(value: T, path: string, read: Set<string>): T {
  if (value === null || typeof value !== 'object') return value;
  return new Proxy(value, {
    get(target, key) {
      const child: unknown = Reflect.get(target, key);
      if (typeof key === 'symbol') return child;
      read.add(`${path}/${key}`);
      return recordReads(child, `${path}/${key}`, read);
    },
  });
}

function findUnread(value: unknown, path: string, read: ReadonlySet<string>): readonly string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const at = `${path}/${key}`;
    return Array.isArray(value) || read.has(at) ? findUnread(child, at, read) : [at];
  });
}

function findUnlisted(manifest: Manifest, fields: readonly string[]): readonly string[] {
  const globs = fields.map((field) => new Bun.Glob(field));
  return leafPaths(manifest)
    .filter((path) => !globs.some((glob) => glob.match(path)))
    .map((path) => `/${path} is no field`);
}

/** Paths of all values that have none below them; a slash in a key (of a label) becomes a tilde. */
function leafPaths(value: unknown): readonly string[] {
  if (value === null || typeof value !== 'object') return [''];
  return Object.entries(value).flatMap(([key, child]) =>
    leafPaths(child).map((path) => [key.replaceAll('/', '~'), ...(path === '' ? [] : [path])].join('/')),
  );
}
