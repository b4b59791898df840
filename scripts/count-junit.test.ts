import { describe, expect, test } from 'bun:test';
import { countJunit } from './count-junit.ts';

describe('countJunit()', () => {
  test.each([
    [
      '<testsuites name="bun test" tests="5" assertions="9" failures="2" skipped="1"><testsuite tests="5"/></testsuites>\n',
      { passed: 2, failed: 2 },
    ],
    ['<testsuites tests="3" failures="0" errors="1" skipped="0">\n</testsuites>', { passed: 2, failed: 1 }],
  ])('countJunit() reads the root element of %p', (xml, counts) => {
    expect(countJunit(xml)).toEqual(counts);
  });

  test.each([
    '',
    '<testsuites tests="3" failures="0"><testsuite',
    '<testsuites tests="0" failures="0"></testsuites>',
  ])('countJunit() is undefined when the report is %p', (xml) => {
    expect(countJunit(xml)).toBeUndefined();
  });
});
