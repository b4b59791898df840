import { expect, test } from 'bun:test';
import { isSameHost, parseAskedUrl } from './asked-url.ts';
import { InvalidGoUrlError } from './go-url.ts';

/** What the ConfigureHosts of containerd 2.3.4 asks for a name of a host and override_path; undefined: it refuses the file. */
const CASES: ReadonlyArray<readonly [name: string, overridePath: boolean, asked: string | undefined]> = [
  ['http://m:1', false, 'http://m:1/v2'],
  ['http://m:1', true, 'http://m:1'],
  ['http://m:1/', false, 'http://m:1//v2'],
  ['http://m:1/', true, 'http://m:1/'],
  ['m', false, 'https://m/v2'],
  ['m', true, 'https://m'],
  ['https://m:30020%20#;', false, undefined],
  ['https://', false, 'https:///v2'],
  ['https://', true, 'https://'],
  ['http://<~%20', true, undefined],
  ['https://m', false, 'https://m/v2'],
  ['<', true, 'https://<'],
  ['https://m', true, 'https://m'],
  ['m:30020/v2/', true, 'https://m:30020/v2'],
  ['http://m:30020]', false, undefined],
  ['http://mftp:[::1]', false, undefined],
  ['http://m:30020', true, 'http://m:30020'],
  ['m:30020[::1]', false, undefined],
  ['http://m:30020443http://"', false, undefined],
  ['https://m;|', true, undefined],
  ['http://m;m', false, 'http://m;m/v2'],
  ['http://m:30020http', false, undefined],
  ['http://?x', false, 'http:///v2'],
  ['http://m//x', true, 'http://m/x'],
  ['https://m%..%25', true, undefined],
  ['http://m:30020%', false, undefined],
  ['http://m:30020', false, 'http://m:30020/v2'],
  ['a.b', true, 'https://a.b'],
  ['http://_http', true, 'http://_http'],
  ['m?x^', false, 'https://m/v2'],
  ['http://m', true, 'http://m'],
  ['https://]]', true, 'https://]]'],
  ['m:30020]V2', false, undefined],
  ['https://V2/v2443', true, 'https://V2/v2443'],
  ['http://m%20http://', true, undefined],
  ['http://m:30020_ ', false, undefined],
  ['80', false, 'https://80/v2'],
  ['80', true, 'https://80'],
  ['m:30020', false, 'https://m:30020/v2'],
  ['http://\\|', true, undefined],
  ['^ftp:http', true, undefined],
  ['https://m443%ftp:', false, undefined],
  ['m:30020u:p@', false, 'https:///v2'],
  [':@#', true, 'https://'],
  ['https://m..:443^', true, undefined],
  ['/v2/', true, 'https:///v2'],
  ['http://m{///', false, undefined],
  ['http://m:30020<80u:p@', true, undefined],
  ['http://m:30020<:443^', false, undefined],
  ['http://m:30020http', true, undefined],
  ['m:30020../v2/:', false, undefined],
  ['m:30020/]//', false, 'https://m:30020/]/v2'],
  ['m:30020', true, 'https://m:30020'],
  ['http://m:30020{http%', false, undefined],
  ['m80', false, 'https://m80/v2'],
  ['m:30020<', true, undefined],
  ['https://mhttps://ftp:', true, 'https://mhttps:/ftp:'],
  ['https://..a.b;', false, 'https://..a.b;/v2'],
  ['http://', true, 'http://'],
  ['http://m:30020m m', true, undefined],
  ['http://m', false, 'http://m/v2'],
  ['https://m:300208080<', true, undefined],
  ['http://".', false, 'http://"./v2'],
  ['m:30020%', false, undefined],
  ['https://m:30020?x80<', false, 'https://m:30020/v2'],
  ['m::', true, undefined],
  ['http://ftp:', true, 'http://ftp:'],
  ['https://m:3002080', false, 'https://m:3002080/v2'],
  ['m:443443', false, 'https://m:443443/v2'],
  ['443a.b[', true, undefined],
  ['mV2', true, 'https://mV2'],
  ['http://m:30020{https:///', false, undefined],
  ['http://', false, 'http:///v2'],
  ['http://m:30020%a.bhttps://', false, undefined],
  ['https://m%%zz%zz', true, undefined],
  ['http:///v2/@HTTP://', false, 'http:///v2/@HTTP:/v2'],
  ['http://%', false, undefined],
  ['http://m:30020/v2', true, 'http://m:30020/v2'],
  ['m:30020%20http://x', true, undefined],
  ['m:%20', true, undefined],
  ['http://m_443', true, 'http://m_443'],
  ['https://m:30020http://m', false, undefined],
  ['https://ftp:<~', false, undefined],
  ['https://m:30020V2<~', false, undefined],
  ['/v2%', false, undefined],
  ['m:30020.', true, undefined],
  ['http://mm^', true, undefined],
  ['m:30020..%zzhttps://', false, undefined],
  ['http://\\', true, undefined],
  ['m:30020"http://.', false, undefined],
  // Addresses in brackets.
  ['http://[::1]', true, 'http://[::1]'],
  ['http://[::1%25eth0]:5', true, 'http://[::1%eth0]:5'],
  ['http://[::1%25%20a]', true, 'http://[::1% a]'],
  ['http://[::1%25%25]', true, 'http://[::1%%]'],
  ['http://[::ffff:1.2.3.4]', true, 'http://[::ffff:1.2.3.4]'],
  ['http://[::1%eth0]', true, undefined],
  ['http://[::1%25]', true, undefined],
  ['http://[::1%25 a]', true, undefined],
  ['http://[::1%25%zz]', true, undefined],
  ['http://[1.2.3.4]', true, undefined],
  ['http://[x]', true, undefined],
  ['http://[]', true, undefined],
  ['http://[1::2::3]', true, undefined],
  ['http://[::01234]', true, undefined],
  ['http://[::1.2.3.04]', true, undefined],
  ['http://[::1]x', true, undefined],
  ['http://[::1]:%31', true, undefined],
  ['http://a]', true, 'http://a]'],
  ['http://a[::1]', true, undefined],
  ['http://u[@a', true, undefined],
  ['http://a:1@b:c@d:2', true, 'http://d:2'],
  ['http://%C3%A4', true, 'http://\u00e4'],
  ['http://a%25', true, 'http://a%'],
  ['http://%41', true, undefined],
  ['http://a:1:2', true, undefined],
  ['ftp://a:1:2', true, 'https://ftp:/a:1:2'],
];

test.each(CASES)(
  'parseAskedUrl() reads %j with override_path %p as containerd does',
  (name, override, asked) => {
    expect(read(name, override)).toBe(asked);
  },
);

function read(name: string, override: boolean): string | undefined {
  try {
    const { scheme, host, path } = parseAskedUrl(name, override, { major: 2, minor: 3 });
    return `${scheme}://${host}${path}`;
  } catch (error) {
    if (!(error instanceof InvalidGoUrlError)) throw error;
    return undefined;
  }
}

test.each([
  ['http://a:30020/v2', true],
  ['http://a:30020/v2/', true],
  ['http://a:30020/', true],
  ['http://A:30020', true],
  ['https://a:30020', false],
  ['a:30020', false],
  ['http://a:30021', false],
  ['http://a:30020/v2/x', false],
  ['http://a:30020/V2', false],
])('isSameHost() of http://a:30020 and %s is %p', (name, isSame) => {
  expect(isSameHost('http://a:30020', name)).toBe(isSame);
});

test.each([
  ['https://a', 'a:443'],
  ['http://a:80/v2', 'http://a'],
])('isSameHost() knows the ports of %s and %s', (left, right) => {
  expect(isSameHost(left, right)).toBe(true);
});
