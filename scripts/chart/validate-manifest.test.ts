import { describe, expect, test } from 'bun:test';
import { parseManifests } from './manifest.ts';
import { validateManifest } from './validate-manifest.ts';

const service = (spec: string) => `
apiVersion: v1
kind: Service
metadata: { name: a, labels: { app.kubernetes.io/name: a } }
spec: ${spec}`;
const autoscaler = (policy: string) => `
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: { name: a, labels: { app.kubernetes.io/name: a } }
spec: { targetRef: { kind: DaemonSet }, resourcePolicy: { containerPolicies: [${policy}] } }`;
const monitor = (endpoint: string) => `
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: { name: a }
spec: { selector: {}, endpoints: [${endpoint}] }`;
const rule = (text: string) => `
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: { name: a }
spec: { groups: [{ name: a, rules: [${text}] }] }`;

describe('validateManifest()', () => {
  test.each<[what: string, yaml: string, wrong: string[]]>([
    ['nothing', service('{ type: NodePort, ports: [{ port: 1, targetPort: a }] }'), []],
    ['a wrong type', service('{ ports: [{ port: x }] }'), ['data/spec/ports/0/port must be integer']],
    [
      'a missing field',
      service('{ ports: [{ name: x }] }'),
      ['data/spec/ports/0 must have required property port'],
    ],
    ['an unknown field', service('{ ports: [{ port: 1, prot: TCP }] }'), ['/spec/ports/0/prot is no field']],
    ['an unknown object', service('{ port: { port: 1 } }'), ['/spec/port is no field']],
    ['nothing in a custom resource', autoscaler('{ containerName: a, maxAllowed: { cpu: 1 } }'), []],
    [
      'an unknown field of a custom resource',
      autoscaler('{ container: a }'),
      ['/spec/resourcePolicy/containerPolicies/0/container is no field'],
    ],
    ['nothing in a ServiceMonitor', monitor('{ port: a, interval: 1m }'), []],
    ['an unknown field of a ServiceMonitor', monitor('{ prt: a }'), ['/spec/endpoints/0/prt is no field']],
    ['nothing in a PrometheusRule', rule('{ alert: A, expr: up == 0, for: 5m, labels: { a: b } }'), []],
    [
      'an unknown field of a PrometheusRule',
      rule('{ alert: A, expr: up == 0, form: 5m }'),
      ['/spec/groups/0/rules/0/form is no field'],
    ],
    [
      'a duration that is none in a PrometheusRule',
      rule('{ alert: A, expr: up == 0, for: 5 minutes }'),
      [expect.stringContaining('data/spec/groups/0/rules/0/for must match pattern')],
    ],
    [
      'an unknown kind',
      'apiVersion: v1\nkind: Pods\nmetadata: { name: a }',
      ['there is no schema for v1 Pods'],
    ],
  ])('validateManifest() finds %s', (_, yaml, wrong) => {
    expect(parseManifests(yaml).flatMap(validateManifest)).toEqual(wrong);
  });
});
