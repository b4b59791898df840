import { OWNERS, ROOMS } from './rooms.ts';

/** An entry of `patterns` of the rule no-restricted-imports. */
interface RestrictedImport {
  readonly regex: string;
  readonly message: string;
}

/** What the files of a room must not import: other rooms than its own and those of its row, and packages of other rooms. */
function restrictedImports(room: string): RestrictedImport[] {
  const allowed = new Set([room, ...(ROOMS[room]?.mayImport ?? [])]);
  const forbidden = Object.keys(ROOMS).filter((each) => !allowed.has(each));
  const packages = OWNERS.filter(({ rooms }) => !rooms.includes(room)).map((owner) => ({
    regex: owner.pattern,
    message: `${owner.packages}: ${owner.rooms.length === 0 ? 'src/cli.ts' : owner.rooms.map((each) => `src/${each}`).join(' and ')} only (scripts/lint/rooms.ts).`,
  }));
  return [
    ...packages,
    {
      regex: `^(\\.\\./)+(cli\\.ts$|bin/|(${forbidden.join('|')})/)`,
      message: `src/${room} does not import this room (scripts/lint/rooms.ts).`,
    },
  ];
}

/** For the linter, the rules that keep the rooms apart. */
export function roomOverrides() {
  return Object.keys(ROOMS).map((room) => {
    const rule: ['error', { patterns: RestrictedImport[] }] = [
      'error',
      { patterns: restrictedImports(room) },
    ];
    return { files: [`src/${room}/**`], rules: { 'no-restricted-imports': rule } };
  });
}
