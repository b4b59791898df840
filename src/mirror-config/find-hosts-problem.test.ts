import { expect, test } from 'bun:test';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { findHostsProblem } from './find-hosts-problem.ts';
import { formatHostsProblem } from './hosts-problem.ts';
import { readAsContainerd } from './hosts-reading.ts';

/**
 * How many hosts the ConfigureHosts of containerd 1.7.28 and 2.3.4 asks before the registry itself, with those that it asks twice; 0
 * also where it takes no notice of the file.
 */
const CASES: ReadonlyArray<readonly [text: string, old: number, asNew: number]> = [
  ['[host."http://m:1"]\n', 1, 1],
  ['\ufeff[host."http://m:1"]\n', 1, 0],
  ['[host."http://m:1"]\ndial_timeout = "200"\n', 1, 0],
  ['[host."http://m:1"]\ndial_timeout = "200ms"\n', 1, 1],
  ['[host."http://m:1"]\ndial_timeout = "1h2m3.5s"\n', 1, 1],
  ['[host."http://m:1"]\ndial_timeout = "-.5s"\n', 1, 1],
  ['[host."http://m:1"]\ndial_timeout = "0"\n', 1, 1],
  ['[host."http://m:1"]\ndial_timeout = ""\n', 1, 1],
  ['[host."http://m:1"]\ndial_timeout = 200\n', 1, 0],
  ['[host."http://m:1"]\ndial_timeout = "1 s"\n', 1, 0],
  ['[host."http://m:1"]\ndial_timeout = "1d"\n', 1, 0],
  ['[host."http://m:1"]\ndial_timeout="9999999999h"\n', 1, 0],
  ['[host."http://m:1"]\ndial_timeout="5\u00b5s"\n', 1, 1],
  ['[host."http://m:1"]\nskip_verify = "true"\n', 0, 0],
  ['skip_verify = "true"\n', 0, 0],
  ['[host."http://m:1"]\nskip_verify = 1\n', 0, 0],
  ['[host."http://m:1"]\noverride_path = "true"\n', 0, 0],
  ['[host."http://m:1"]\ncapabilities = "pull"\n', 0, 0],
  ['[host."http://m:1"]\ncapabilities = ["pull", 1]\n', 0, 0],
  ['[host."http://m:1"]\ncapabilities = ["PULL"]\n', 1, 1],
  ['[host."http://m:1"]\ncapabilities = ["pul"]\n', 0, 0],
  ['[host."http://m:1"]\ncapabilities = ["referrers"]\n', 0, 1],
  ['capabilities = ["x"]\n', 0, 0],
  ['[host."http://m:1"]\ncapabilities = [" pull"]\n', 0, 0],
  ['server = 1\n[host."http://m:1"]\n', 0, 0],
  ['server = ["https://a"]\n', 0, 0],
  ['server = "https://a b"\n', 0, 0],
  ['server = "https://a:b"\n', 0, 0],
  ['server = "http://[::1"\n', 0, 0],
  ['server = "ftp://a"\n', 0, 0],
  ['server="https://a/%zz"\n', 0, 0],
  ['server="a"\n', 0, 0],
  ['server="https://u:p@a"\n', 0, 0],
  ['server="\\u0001"', 0, 0],
  ['server = ":80"', 0, 0],
  ['[host."http://a b"]\n', 0, 0],
  ['[host."http://a:b"]\n', 0, 0],
  ['[host."http://a:99999"]\n', 1, 1],
  ['[host."/x"]\n', 1, 1],
  ['[host."http://"]\n', 1, 1],
  ['[host."HTTP://a"]\n', 1, 1],
  ['[host."https://a/v2/"]\n', 1, 1],
  ['[host."https://a/v2/x"]\n', 1, 1],
  ['[host."https://a//v2"]\noverride_path=true\n', 1, 1],
  ['[host."a"]\n', 1, 1],
  ['[host.a]\n', 1, 1],
  ['[host."http://m:1/"]\n', 1, 1],
  ['[host."http://m:1/v2/"]\n', 1, 1],
  ['[host."http://m:1?x=1"]\n', 1, 1],
  ['[host."http://m:1#x"]\n', 1, 1],
  ['[host]\n"http://m:1" = {}\n', 1, 0],
  ['host."http://m:1" = {}\n', 1, 0],
  ['host = {"http://m:1" = {}}\n', 1, 0],
  ['host."http://m:1".skip_verify = true\n', 1, 0],
  ['[host]\n[host."http://m:1"]\n', 1, 1],
  ['[host."http://m:1".header]\nx="y"\n', 1, 1],
  ['[[host."http://m:1"]]\n', 0, 0],
  ['host = 1\n', 0, 0],
  ['host = []\n', 0, 0],
  ['[host]\n"http://m:1" = 1\n', 0, 0],
  ['[Host."http://m:1"]\n', 0, 0],
  ['[HOST."http://m:1"]\n', 0, 0],
  ['[ host . "http://m:1" ] # x\n', 1, 1],
  ["[host.'http://m:1']\n", 1, 1],
  ['["host"."http://m:1"]\n', 1, 1],
  ['[host."http://m:1"]\n[host."http://n:1"]\n[host."http://m:1".header]\nx="y"\n', 2, 3],
  ['[host."http://m:1"]\n[host."http://m:1"]\n', 0, 0],
  ['[host."http://m:1"]\nca = 1\n', 0, 0],
  ['[host."http://m:1"]\nca = [1]\n', 0, 0],
  ['[host."http://m:1"]\nca = {}\n', 0, 0],
  ['[host."http://m:1"]\nca = "x"\n', 1, 1],
  ['[host."http://m:1"]\nca=[]\n', 1, 1],
  ['[host."http://m:1"]\nclient = 1\n', 0, 0],
  ['[host."http://m:1"]\nclient=[["a"]]\n', 0, 0],
  ['[host."http://m:1"]\nclient=[["a","b","c"]]\n', 0, 0],
  ['[host."http://m:1"]\nclient=[["a",1]]\n', 0, 0],
  ['[host."http://m:1"]\nclient=[1]\n', 0, 0],
  ['[host."http://m:1"]\nclient=[]\n', 1, 1],
  ['[host."http://m:1"]\nclient=[[]]\n', 0, 0],
  ['[host."http://m:1"]\nclient={}\n', 0, 0],
  ['[host."http://m:1"]\nheader = "x"\n', 0, 0],
  ['[host."http://m:1"]\nheader = {x=1}\n', 0, 0],
  ['[host."http://m:1"]\nheader = {x=["a",1]}\n', 0, 0],
  ['[host."http://m:1"]\nheader={x=["a"]}\n', 1, 1],
  ['[host."http://m:1"]\nheader={x={}}\n', 0, 0],
  ['[host."http://m:1"]\nheader={}\n', 1, 1],
  ['[host."http://m:1"]\n[host."http://m:1".header]\nx=true\n', 0, 0],
  ['[host."http://m:1"]\nx = "\\e"\n', 0, 1],
  ['[host."http://m:1"]\nx = "\\x41"\n', 0, 0],
  ['[host."http://m:1"]\nheader = { x = "a",\n y = "b" }\n', 1, 0],
  ['[host."http://m:1"]\nheader = { x = "a", }\n', 0, 0],
  ['[host."http://m:1"]\nx = 07:32\n', 0, 1],
  ['[host."http://m:1"]\nx = 1979-05-27 07:32\n', 0, 1],
  ['[host."http://m:1"]\nx = 1979-05-27 07:32:00\n', 1, 1],
  ['[host."http://m:1"]\nx = { # c\n a = 1 }\n', 1, 0],
  ['[host."http://m:1"]\nSKIP_VERIFY = true\n', 1, 1],
  ['[host."http://m:1"]\nSkip_Verify = "x"\n', 1, 0],
  ['[host."http://m:1"]\nSKIP_VERIFY="x"\n', 0, 0],
  ['SERVER="https://z"\n[host."http://m:1"]\n', 1, 1],
  ['Server = 1\n[host."http://m:1"]\n', 1, 0],
  ['# c\n', 0, 0],
  ['server = "https://a"\n', 0, 0],
  ['skip_verify = true\n', 0, 0],
  ['x = 1\n[host."http://m:1"]\n', 1, 1],
  ['[host."http://m:1"]\na=1\r\n', 1, 1],
  ['a = 1\na = 2\n[host."http://m:1"]\n', 0, 0],
  ['a = \n[host."http://m:1"]\n', 0, 0],
  ['[host."http://m:1"]\nx = "\u0000"\n', 0, 0],
  ['[host."http://m:1"]\nx = "a\tb"\n', 1, 1],
  ['[host."http://m:1"]\nx = 1_000\n', 1, 1],
  ['[host."http://m:1"]\nx = inf\n', 1, 1],
  ['[host."http://m:1"]\nx = 0xFF\n', 1, 1],
  ['[host."http://m:1"]\nx=[1,"a"]\n', 1, 1],
  ['[host."http://m:1"]\nx=[1,2,]\n', 1, 1],
  ['[host."http://m:1"]\nx=[[1],["a"]]\n', 1, 1],
  ['[host."http://m:1"]\nx="""a\nb"""\n', 1, 1],
  ['[host."http://m:1"]\na.b = 1\na.c = 2\n', 1, 1],
  ['[host."http://m:1"]\nx={}\nx.y=1\n', 0, 0],
  ['\u00e4=1\n[host."http://m:1"]\n', 0, 0],
  ['"\u00e4"=1\n[host."http://m:1"]\n', 1, 1],
  ['[host."http://m:1"]\n""=1\n', 1, 1],
  ['[host."http://m:1"]\nx=\'a\tb\'\n', 1, 1],
  ['[host."http://m:1"]\nx = +1\n', 1, 1],
  ['[host."http://m:1"]\nx={a.b=1}\n', 1, 1],
  ['[host."http://m:1"]\nx= 2020-01-01T00:00:00.5+01:00\n', 1, 1],
  ['[host."http://m:1"]\nx = "\\u00e9"\n', 1, 1],
  ['[host."http://m:1"]\nx="\\z"\n', 0, 0],
  ['[host."http://m:1"]\ncapabilities = []\n', 1, 1],
  ['[host."http://m:1"]\nca = ["a", ["b"]]\n', 0, 0],
  ['server = ""\n[host."http://m:1"]\n', 1, 1],
  ['[host."http://m:1"]\noverride_path=true\n', 1, 1],
  ['[host."http://m:1/v2"]\noverride_path=true\n', 1, 1],
  ['[host."http://m:1/V2"]\n', 1, 1],
  ['[host."http://m:1/x/../v2"]\n', 1, 1],
];

for (const [version, column] of [
  [{ major: 1, minor: 7 }, 1],
  [{ major: 2, minor: 3 }, 2],
] as const) {
  test.each(CASES.map((row) => [row[0], row[column]] as const))(
    `readAsContainerd() has containerd ${version.major}.${version.minor} ask of %j %d`,
    (text, asked) => {
      expect(askedOf(text, version)).toBe(asked);
    },
  );
}

function askedOf(text: string, version: ContainerdVersion): number {
  const certificates = { ca: [], client: [] };
  const { problem, hosts } = readAsContainerd(text, { registry: 'reg.example', version, certificates });
  // The last one is the registry.
  expect(hosts.at(-1)?.table).toBeUndefined();
  expect(problem === undefined || hosts.length === 1).toBe(true);
  return hosts.length - 1;
}

const MIRROR = '[host."http://127.0.0.1:30020"]\n';
const OLD = { major: 1, minor: 7 };
const NEW = { major: 2, minor: 3 };

function problemOf(text: string, version: ContainerdVersion): string | undefined {
  const problem = findHostsProblem(text, version);
  return problem === undefined ? undefined : formatHostsProblem(problem);
}

test.each([
  [
    `${MIRROR}dial_timeout = "200"\n`,
    `line 2: host.'http://127.0.0.1:30020'.dial_timeout: "200" has no unit; write for example "200ms"`,
  ],
  [
    `\u{feff}${MIRROR}`,
    'line 1: a byte order mark, which containerd 2.x does not take: save the file without it',
  ],
  [
    `${MIRROR}\nheader = { x = "secret", }\n`,
    'line 3: a comma at the end of an inline table, which containerd 2.x does not take: remove it',
  ],
  [
    `${MIRROR}[host."http://u:secret@a b"]\n`,
    "line 2: host.'http://(not shown)@a b': containerd cannot use the URL: its host has a character that no host has",
  ],
  [`server = "http://a:secret"\n`, 'line 1: server: containerd cannot use the URL: its port is not a number'],
  [
    `${MIRROR}header = { x = 1 }\n`,
    "line 2: host.'http://127.0.0.1:30020'.header.x: it has to be a text or a list of texts",
  ],
  [
    `[host]\n'http://m'.header.x = "1"\n'http://m'.skip_verify = "no"\n`,
    `line 3: host.'http://m'.skip_verify: containerd 2.x crashes with this: give the host a table of its own, [host."URL"]`,
  ],
])('findHostsProblem() says of %j where and what, and no secret', (text, problem) => {
  expect(problemOf(text, NEW)).toBe(problem);
});

test.each([
  [2, 0, `${MIRROR}dial_timeout = 1\n`, undefined],
  [
    2,
    1,
    `${MIRROR}dial_timeout = 1\n`,
    `line 2: host.'http://127.0.0.1:30020'.dial_timeout: it has to be a text, for example "200ms"`,
  ],
  [
    2,
    1,
    `${MIRROR}capabilities = ["referrers"]\n`,
    `line 2: host.'http://127.0.0.1:30020'.capabilities: containerd 2.1 knows no capability "referrers", only pull, resolve and push`,
  ],
  [2, 2, `${MIRROR}capabilities = ["referrers"]\n`, undefined],
  [2, 2, '[host."http://fd00::1:5000"]\n', undefined],
  [
    2,
    3,
    '[host."http://fd00::1:5000"]\n',
    "line 1: host.'http://fd00::1:5000': containerd cannot use the URL: its host has more than one colon; an IPv6 address needs brackets",
  ],
  [
    1,
    7,
    'server = "https://a"\n',
    'containerd 1.x takes no file without a [host] table: add one, or remove the file',
  ],
  [
    1,
    7,
    "\n[host.'http://[fd00::1]:5']\n",
    'line 2: containerd 1.x takes no bracket in the name of a table: write a host name for the address',
  ],
])('findHostsProblem() of %d.%d says of %j %p', (major, minor, text, problem) => {
  expect(problemOf(text, { major, minor })).toBe(problem);
});

test('readAsContainerd() names the hosts that containerd passes over, with their lines', () => {
  const text = '[host."http://a"]\n[host]\n"http://b" = {}\n[Host."http://c"]\n';
  const passedOver = (version: ContainerdVersion) =>
    readAsContainerd(text, {
      registry: undefined,
      version,
      certificates: { ca: [], client: [] },
    }).passedOver.map(({ url, line, why }) => [url, line, why]);
  expect(passedOver(NEW)).toEqual([
    ['http://b', 3, 'containerd 2.x asks only hosts that have a line [host."URL"] of their own'],
    ['http://c', 4, 'containerd 2.x asks only hosts that are in a table named host, in small letters'],
  ]);
  expect(passedOver(OLD).map(([url]) => url)).toEqual(['http://c']);
});
