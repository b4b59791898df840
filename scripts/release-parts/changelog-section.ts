/** A section of CHANGELOG.md, which has the format of Keep a Changelog. */
export interface ChangelogSection {
  /** As YYYY-MM-DD. */
  readonly date: string;
  /** What is below the heading, without empty lines around it. */
  readonly text: string;
}

/** Finds the section of a version. Throws RangeError, which says what to write, where there is none, or one without date or text. */
export function changelogSection(changelog: string, version: string): ChangelogSection {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((each) => each.startsWith(`[${version}]`));
  const wanted = `"## [${version}] - YYYY-MM-DD"`;
  if (section === undefined) {
    throw new RangeError(
      `CHANGELOG.md has no section of ${version}: put the heading ${wanted} below "## [Unreleased]", above what is new`,
    );
  }
  const [heading = '', ...lines] = section.split('\n');
  const [, date] = /^\[[^\]]+\] - (\d{4}-\d{2}-\d{2})$/.exec(heading) ?? [];
  if (date === undefined) {
    throw new RangeError(`CHANGELOG.md has "## ${heading}" where it should have ${wanted}`);
  }
  const text = lines.join('\n').trim();
  if (text === '') throw new RangeError(`CHANGELOG.md says nothing below "## ${heading}": write what is new`);
  return { date, text };
}
