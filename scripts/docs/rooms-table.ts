import { join } from 'node:path';
import { REPOSITORY } from '../chart/render-chart.ts';
import { OWNERS, ROOMS } from '../lint/rooms.ts';
import { withGeneratedPart } from './generated-part.ts';

/** The document with the table. */
export const ROOMS_TABLE_FILE = join(REPOSITORY, 'docs/ARCHITECTURE.md');

/** The text with its table of rooms made anew from the linter's. Throws if the text has no place for it. */
export function withRoomsTable(text: string): string {
  return withGeneratedPart(text, 'rooms', roomsTable());
}

function roomsTable(): string {
  const rows = Object.entries(ROOMS).map(([room, { subject, mayImport }]) => {
    const packages = OWNERS.filter(({ rooms }) => rooms.includes(room)).map((owner) => owner.packages);
    return `| \`${room}/\` | ${subject} | ${mayImport.join(', ')} | ${packages.join(', ')} |`;
  });
  return [
    '| room | subject | may import | packages of its own |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
