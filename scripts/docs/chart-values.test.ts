import { describe, expect, test } from 'bun:test';
import { readChartValues } from './chart-values.ts';

describe('readChartValues()', () => {
  test('readChartValues() lists values with their defaults and comments', () => {
    const yaml = `# About the file.

image:
  # Where it is.
  # Two lines.
  repository: a/b
  tag: ""
list:
  - key: a
    operator: Exists
# Above a map.
labels: {}
nodeSelector:
  kubernetes.io/os: linux
deep:
  # Of the inner map.
  inner:
    port: 5000
`;
    expect(readChartValues(yaml)).toEqual([
      { path: 'image.repository', defaultValue: '"a/b"', comment: 'Where it is. Two lines.' },
      { path: 'image.tag', defaultValue: '""', comment: '' },
      { path: 'list', defaultValue: '[{"key":"a","operator":"Exists"}]', comment: '' },
      { path: 'labels', defaultValue: '{}', comment: 'Above a map.' },
      { path: 'nodeSelector', defaultValue: '{"kubernetes.io/os":"linux"}', comment: '' },
      { path: 'deep.inner.port', defaultValue: '5000', comment: 'Of the inner map.' },
    ]);
  });

  test('readChartValues() throws when a value is not on a line of its own', () => {
    expect(() => readChartValues('image: { tag: a }\n')).toThrow('image.tag');
  });
});
