import { describe, expect, test } from 'bun:test';
import { checkStore } from './check-store.ts';

const SOCKET = '/run/containerd/containerd.sock';
const EMPTY = { version: '2.3.4', contentRoot: undefined, images: [] };

describe('checkStore()', () => {
  test.each([
    ['k8s.io', 'info', ['note', 'run']],
    ['default', 'warning', ['run', 'note']],
  ] as const)('says of an empty namespace %s that it is of severity %s', (namespace, severity, steps) => {
    const { findings } = checkStore(EMPTY, { socket: SOCKET, namespace });
    expect(findings).toMatchObject([{ id: 'namespace-empty', severity }]);
    expect(findings[0]?.mend.map(({ do: kind }) => kind)).toEqual([...steps]);
    // Not the flag that is set already.
    expect(JSON.stringify(findings).includes('--containerd-namespace k8s.io')).toBe(namespace !== 'k8s.io');
  });

  test('finds nothing when there are images', () => {
    const facts = { ...EMPTY, images: [{}] };
    expect(checkStore(facts, { socket: SOCKET, namespace: 'k8s.io' }).findings).toEqual([]);
  });

  test('finds a containerd that does not answer', () => {
    const facts = { error: new Error('refused') };
    expect(checkStore(facts, { socket: SOCKET, namespace: 'k8s.io' }).findings).toMatchObject([
      { id: 'containerd-unreachable', severity: 'error', seen: [`${SOCKET}: refused`] },
    ]);
  });
});
