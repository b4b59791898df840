import type { HostsTree } from './hosts-folder.fixture.ts';

/** The folder of one registry, as somebody may have it, and how it is configured. */
export interface GeneratedTree {
  /** What stands before the first slash of an image's name. */
  readonly registry: string;
  readonly folder: string;
  /** Undefined: the folder has no hosts.toml. */
  readonly text: string | undefined;
  /** Names of CERTIFICATE_FILES that are in the folder. */
  readonly files: readonly string[];
  readonly prependExisting: boolean;
}

/** Files beside a hosts.toml, with the common name that is in the certificate; `d.pem` has its key in it. */
export const CERTIFICATE_FILES: Readonly<Record<string, string>> = {
  'a.pem': 'a',
  'a.key': 'a',
  'b.cert': 'b',
  'b.key': 'b',
  'c.crt': 'c',
  'd.pem': 'd',
};

/** Hosts of this domain are mirrors, all others are the registry itself. */
export const MIRROR_DOMAIN = '.mirror';

/** Trees by a seed: the same ones for the same seed. About one of six has something that containerd refuses. */
export function generateTrees(seed: number, count: number): readonly GeneratedTree[] {
  return Array.from({ length: count }, (_, index) => generateTree(createChance(seed * 1_000_003 + index)));
}

/** The files of a tree, below the configuration; `pems` by the names of CERTIFICATE_FILES. */
export function filesOf(tree: GeneratedTree, pems: Readonly<Record<string, string>>): HostsTree {
  const { folder, text, files } = tree;
  return {
    [`${folder}/`]: '',
    ...Object.fromEntries(files.map((name) => [`${folder}/${name}`, pems[name] ?? ''])),
    ...(text === undefined ? {} : { [`${folder}/hosts.toml`]: text }),
  };
}

interface Chance {
  /** True with that probability. */
  is(probability: number): boolean;
  of<T>(items: readonly T[]): T;
}

/** mulberry32, a generator of the public domain. */
function createChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  next();
  return {
    is: (probability) => next() < probability,
    of: (items) => items[Math.floor(next() * items.length)] as never,
  };
}

function generateTree(chance: Chance): GeneratedTree {
  const [registry, folder] = chance.of([
    ['reg.example', 'reg.example'],
    ['reg.example', 'reg.example'],
    ['reg.example', '_default'],
    ['reg.example:5000', 'reg.example:5000'],
    ['reg.example:5000', 'reg.example_5000_'],
    ['my_reg.example', 'my_reg.example'],
    ['my_reg.example:5000', 'my_reg.example_5000_'],
    ['docker.io', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['localhost:5000', 'localhost:5000'],
    ['127.0.0.1:80', '127.0.0.1_80_'],
    ['127.0.0.1', '127.0.0.1'],
  ] as const);
  const text = chance.is(0.08) ? undefined : chance.is(0.03) ? '' : generateText(chance, registry, folder);
  const hasBeside = chance.is(0.4);
  const files = Object.keys(CERTIFICATE_FILES).filter(
    (name) => ['a.pem', 'a.key', 'd.pem'].includes(name) || (hasBeside && chance.is(0.8)),
  );
  return { registry, folder, text, files, prependExisting: chance.is(0.4) };
}

function generateText(chance: Chance, registry: string, folder: string): string {
  const ending = chance.is(0.1) ? '\r\n' : '\n';
  const key = (name: string) =>
    chance.is(0.04) ? name.toUpperCase() : chance.is(0.03) ? name[0]?.toUpperCase() + name.slice(1) : name;
  const server = chance.is(0.55) ? [`${key('server')} = ${quote(chance, serverUrl(chance, registry))}`] : [];
  const root = [...server, ...settings(chance, key)];
  const urls = new Set(
    Array.from({ length: chance.of([0, 0, 1, 1, 2, 3]) }, () =>
      hostUrl(chance, folder === '_default' ? `zeroth${MIRROR_DOMAIN}` : registry),
    ),
  );
  const sections: string[][] = [];
  const later: string[][] = [];
  const inHostTable: string[] = [];
  for (const url of urls) {
    const name = quote(chance, url);
    const lines = settings(chance, key);
    const header = headerLines(chance);
    const any = chance.of([
      'table',
      'table',
      'table',
      'table',
      'table',
      'keys',
      'inline',
      'header-first',
    ] as const);
    // containerd 1.x has no order for several inline tables.
    const form = any === 'inline' && inHostTable.some((line) => line.endsWith('}')) ? 'table' : any;
    if (form === 'keys') inHostTable.push(...lines.map((line) => `${name}.${line}`));
    else if (form === 'inline') inHostTable.push(`${name} = { ${lines.join(', ')} }`);
    else if (form === 'header-first') {
      sections.push([`[host.${name}.header]`, ...header]);
      later.push([`[host.${name}]`, ...lines]);
    } else {
      sections.push([
        `[host.${name}]${chance.is(0.1) ? ' # theirs' : ''}`,
        ...lines.map((line) => `  ${line}`),
      ]);
      if (chance.is(0.25)) sections.push([`[ host . ${name} . header ]`, ...header]);
    }
  }
  if (chance.is(0.15)) sections.unshift(['[header]', ...headerLines(chance)]);
  if (inHostTable.length > 0 || chance.is(0.05)) sections.push(['[host]', ...inHostTable]);
  if (chance.is(0.05)) {
    sections.push(['[[other]]', '[other.host.x]', "text = '''", '[host."https://no"]', "'''"]);
  }
  return [...(chance.is(0.05) ? ['# theirs'] : []), ...root, ...[...sections, ...later].flat(), '']
    .join(ending)
    .replace(/^/, () => (chance.is(0.01) ? '\uFEFF' : ''));
}

function serverUrl(chance: Chance, registry: string): string {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  return chance.of([
    `https://${host}`,
    `https://${host}`,
    `http://${host}`,
    host,
    `https://${host}/v2`,
    `https://${host}/v2/proxy/`,
    `https://${host}/`,
    registry === 'docker.io' || chance.is(0.1) ? 'https://docker.io' : `https://${host}`,
    registry === 'docker.io' ? 'https://docker.io/' : host,
    'https://upstream.example:8443',
    'http://upstream.example:80',
    'HTTPS://upstream.example',
    'httpd.example',
    '',
    chance.is(0.5) ? 'https://upstream.example:port' : 'https://up stream.example',
  ]);
}

function hostUrl(chance: Chance, registry: string): string {
  const own = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  return chance.of([
    `https://${own}`,
    `http://${own}`,
    own,
    `https://${own}/v2/`,
    `https://${own}/proxy/a b`,
    `https://first${MIRROR_DOMAIN}`,
    `http://second${MIRROR_DOMAIN}:8080`,
    `third${MIRROR_DOMAIN}:5000`,
    `https://fourth${MIRROR_DOMAIN}/v2/proxy/../cache`,
    `https://user@fifth${MIRROR_DOMAIN}?x=y`,
    chance.is(0.2) ? `https://sixth${MIRROR_DOMAIN}:x` : `https://sixth${MIRROR_DOMAIN}:`,
  ]);
}

function settings(chance: Chance, key: (name: string) => string): string[] {
  const lines: string[] = [];
  const add = (name: string, probability: number, values: readonly string[], wrong: readonly string[]) => {
    if (chance.is(probability)) lines.push(`${key(name)} = ${chance.of(chance.is(0.04) ? wrong : values)}`);
  };
  add(
    'capabilities',
    0.35,
    [
      '["pull"]',
      '["pull", "resolve"]',
      '["PULL", "push"]',
      '[]',
      "['resolve']",
      '["push", "pull", "resolve"]',
    ],
    ['"pull"', '["pul"]', '[1]', '{ a = 1 }', '["referrers"]', 'true'],
  );
  add(
    'ca',
    0.3,
    ['"a.pem"', '["a.pem", "d.pem"]', "'d.pem'", '[]', '["./a.pem"]'],
    ['1', '["a.pem", 1]', '{ a = "a.pem" }', '[["a.pem"]]'],
  );
  add(
    'client',
    0.2,
    ['"d.pem"', '["d.pem"]', '[["a.pem", "a.key"]]', '[["a.pem", "a.key"], "d.pem"]', '[]'],
    ['1', '[["a.pem"]]', '[["a.pem", 1]]', '[1]', '{ a = 1 }', '[["a.pem", "a.key", "d.pem"]]'],
  );
  add('skip_verify', 0.25, ['true', 'false'], ['"true"', '1', '[true]', '1979-05-27']);
  add('override_path', 0.25, ['true', 'false'], ['"true"', '0', '{}']);
  add(
    'dial_timeout',
    0.2,
    ['"3s"', '"200ms"', "'1h1.5m.5s'", '""', '"0"', '"-1us"'],
    ['200', '"200"', '"1 s"', '"1d"', '"3S"', 'true', '"9999999999h"'],
  );
  add(
    'future_setting',
    0.1,
    ['1', '[1, "a"]', '{ a = { b = 1.5 } }', '"""a\\\n  b"""', '2024-01-02'],
    ['"\\x41"', '{ a = 1, }', '{ a = 1,\n b = 2 }'],
  );
  if (chance.is(0.05)) {
    lines.push(
      `header = ${chance.of(['{ "X-A" = "1" }', '{}', '{ x = [] }', '"x"', '{ x = 1 }', '{ x = [1] }'])}`,
    );
  }
  return lines;
}

function headerLines(chance: Chance): string[] {
  return chance.of([
    ['x-a = "1"'],
    ['x-a = ["1", "2"]'],
    ["'X b' = '3'", 'authorization = "Basic b3du"'],
    [],
    chance.is(0.15) ? ['x-a = 1'] : ['x-a = []'],
  ]);
}

function quote(chance: Chance, text: string): string {
  return chance.is(0.3) ? `'${text}'` : `"${text}"`;
}
