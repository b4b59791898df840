import { expect, test } from 'bun:test';
import { isPermissionError } from './permission-error.ts';

const withCode = (code: string) => Object.assign(new Error('Cannot open it'), { code });

test.each<[what: string, error: unknown, is: boolean]>([
  ['a file that may not be read', withCode('EACCES'), true],
  ['what the kernel refuses', withCode('EPERM'), true],
  ['a cause', new Error('Cannot read the configuration', { cause: withCode('EACCES') }), true],
  ['the text of a library', new Error('14 UNAVAILABLE: connect EACCES /run/x.sock'), true],
  ['a file that is not there', withCode('ENOENT'), false],
  ['a socket that nothing listens on', new Error('14 UNAVAILABLE: connect ECONNREFUSED /run/x.sock'), false],
  ['no error', 'EACCES', false],
])('isPermissionError() of %s', (_what, error, is) => {
  expect(isPermissionError(error)).toBe(is);
});
