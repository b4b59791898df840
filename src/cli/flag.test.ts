import { describe, expect, test } from 'bun:test';
import { environmentName, flagName, readFlags } from './flag.ts';
import {
  addressFlag,
  booleanFlag,
  byteRateFlag,
  choiceFlag,
  countFlag,
  durationFlag,
  endpointFlag,
  ipFlag,
  listFlag,
  textFlag,
  urlFlag,
} from './flag-kinds.ts';
import { UsageError } from '../commands/usage-error.ts';

const flags = {
  listenAddr: addressFlag('', ':5000'),
  server: endpointFlag('', '127.0.0.1:9090'),
  dataDir: textFlag('path', '', undefined),
  waitTime: durationFlag('', '20ms'),
  count: countFlag('', { absent: 3, least: 1 }),
  rate: byteRateFlag('', { least: 1000 }),
  kind: choiceFlag(['http', 'static'], '', undefined),
  peerUrl: urlFlag(''),
  nodeIp: ipFlag(''),
  enabled: booleanFlag('', true),
  names: listFlag({ argument: 'name', help: '', parse: (text) => text }),
};

describe('flagName() and environmentName()', () => {
  test('flagName() and environmentName() write a key in their own case', () => {
    expect([flagName('mirrorTargets'), environmentName('mirrorTargets')]).toEqual([
      'mirror-targets',
      'MIRROR_TARGETS',
    ]);
  });
});

describe('readFlags()', () => {
  test('readFlags() gives the defaults when nothing is given', () => {
    expect(readFlags(flags, {}, {})).toEqual({
      listenAddr: ':5000',
      server: '127.0.0.1:9090',
      dataDir: undefined,
      waitTime: 20,
      count: 3,
      rate: 0,
      kind: undefined,
      peerUrl: undefined,
      nodeIp: undefined,
      enabled: true,
      names: [],
    });
  });

  test.each<[key: keyof typeof flags, texts: string[], value: unknown]>([
    ['listenAddr', ['[::1]:5000'], '[::1]:5000'],
    ['server', ['node-1.lab:9090'], 'node-1.lab:9090'],
    ['dataDir', ['/var/lib/spegel'], '/var/lib/spegel'],
    ['waitTime', ['1m30s'], 90_000],
    ['count', ['12'], 12],
    ['rate', ['1.5MB/s'], 1_500_000],
    ['rate', ['1kb'], 1000],
    ['rate', ['0'], 0],
    ['kind', ['STATIC'], 'static'],
    ['peerUrl', ['http://10.0.0.1:5002/'], 'http://10.0.0.1:5002'],
    ['peerUrl', ['https://a.example/peers?x=1'], 'https://a.example/peers?x=1'],
    ['nodeIp', ['fd00::1'], 'fd00::1'],
    ['enabled', ['false'], false],
    ['enabled', ['T'], true],
    ['enabled', ['0'], false],
    ['names', ['a', 'b,c'], ['a', 'b,c']],
    ['names', [''], []],
    ['count', ['1', '2'], 2],
    ['dataDir', [''], undefined],
  ])('readFlags() reads --%s from %p', (key, texts, value) => {
    expect(readFlags(flags, { [key]: texts }, {})[key]).toEqual(value as never);
  });

  test.each<[key: keyof typeof flags, text: string]>([
    ['listenAddr', '5000'],
    ['server', 'node-1.lab'],
    ['waitTime', '20'],
    ['waitTime', '0s'],
    ['waitTime', '-1s'],
    ['count', '0'],
    ['rate', '1000'],
    ['rate', '999B'],
    ['rate', '-1MB'],
    ['count', '1.5'],
    ['count', '-1'],
    ['kind', 'dns'],
    ['peerUrl', '10.0.0.1:5002'],
    ['peerUrl', 'ftp://10.0.0.1'],
    ['peerUrl', 'http://'],
    ['nodeIp', '10.0.0'],
    ['enabled', 'maybe'],
  ])('readFlags() throws when --%s is %p', (key, text) => {
    expect(() => readFlags(flags, { [key]: [text] }, {})).toThrow(UsageError);
    expect(() => readFlags(flags, { [key]: [text] }, {})).toThrow(`Cannot use --${flagName(key)}: `);
  });

  test.each<[text: string, items: string[]]>([
    ['a,b', ['a', 'b']],
    ['a, b ,', ['a', 'b']],
    ['"a{1,2}",b', ['a{1,2}', 'b']],
    ['"say ""hi""",b', ['say "hi"', 'b']],
    [',', []],
    ['', []],
  ])('readFlags() splits the list %p from the environment', (text, items) => {
    expect(readFlags(flags, {}, { NAMES: text }).names).toEqual(items);
  });

  test('readFlags() takes the command line before the environment, and empty values as none', () => {
    const environment = { COUNT: '7', NAMES: 'x', WAIT_TIME: '' };
    const values = readFlags(flags, { count: ['9'], names: [''] }, environment);
    expect([values.count, values.names, values.waitTime]).toEqual([9, ['x'], 20]);
  });

  test('readFlags() names the variable when the environment is wrong', () => {
    expect(() => readFlags(flags, {}, { COUNT: 'x' })).toThrow('Cannot use COUNT in the environment: ');
  });

  test('readFlags() throws when a required flag is absent', () => {
    const required = { names: listFlag({ argument: 'name', help: 'who', parse: String, required: true }) };
    expect(() => readFlags(required, { names: [''] }, {})).toThrow(
      '--names is required, or NAMES in the environment: who',
    );
  });
});
