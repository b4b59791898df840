import { describe, expect, test } from 'bun:test';
import { countJunit, countNeeds } from './count-junit.ts';

describe('countJunit()', () => {
  test.each([
    [
      '<testsuites name="bun test" tests="5" assertions="9" failures="2" skipped="1"><testsuite tests="5"/></testsuites>\n',
      { passed: 2, failed: 2, skipped: 1 },
    ],
    [
      '<testsuites tests="3" failures="0" errors="1" skipped="0">\n</testsuites>',
      { passed: 2, failed: 1, skipped: 0 },
    ],
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

describe('countNeeds()', () => {
  test('countNeeds() counts the skipped tests by what their names, or the names around them, say', () => {
    const xml = `<testsuites tests="5">
      <testcase name="lints" classname="the chart (needs helm)" time="0">
        <skipped />
      </testcase>
      <testcase name="renders" classname="the chart (needs helm)" time="0"><skipped /></testcase>
      <testcase name="a limit (needs a memory controller)" classname=""><skipped /></testcase>
      <testcase name="ran (needs helm)" classname="" time="1" />
      <testcase name="failed (needs helm)" classname="" time="1"><failure type="AssertionError" /></testcase>
      <testcase name="says nothing" classname="elsewhere"><skipped /></testcase>
    </testsuites>`;
    expect([...countNeeds(xml)]).toEqual([
      ['helm', 2],
      ['a memory controller', 1],
      ['no reason given', 1],
    ]);
  });
});
