import { describe, expect, test } from 'bun:test';
import { findKeyLine, findTableLine, findTableRanges } from './toml-lines.ts';

const TEXT = `version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/a" # config_path = "/b"

[plugins.'io.containerd.grpc.v1.cri'.registry.mirrors]
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
    endpoint = ["x"]

[grpc]
"address" = "/s"
`;
const REGISTRY = ['plugins', 'io.containerd.grpc.v1.cri', 'registry'];

describe('toml-lines', () => {
  test.each([
    [['version'], 1],
    [[...REGISTRY, 'config_path'], 3],
    [[...REGISTRY, 'mirrors', 'docker.io', 'endpoint'], 7],
    [['grpc', 'address'], 10],
    [['grpc', 'config_path'], undefined],
    [['address'], undefined],
  ])('findKeyLine() finds %p on line %p', (path, line) => {
    expect(findKeyLine(TEXT, path)).toBe(line);
  });

  test('findTableLine() finds a header however it is quoted', () => {
    expect(findTableLine(TEXT, [...REGISTRY, 'mirrors'])).toBe(5);
    expect(findTableLine(TEXT, [])).toBeUndefined();
  });

  test('findTableRanges() finds a table with those below it', () => {
    expect(findTableRanges(TEXT, [...REGISTRY, 'mirrors'])).toEqual([
      { first: 5, last: 5 },
      { first: 6, last: 7 },
    ]);
  });
});
