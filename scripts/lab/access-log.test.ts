import { expect, test } from 'bun:test';
import { parseAccessLog } from './access-log.ts';

const at = '[21/Nov/2026:09:00:00 +0000]';

test('parseAccessLog() reads requests for content and passes over everything else', () => {
  const log = [
    'time="2026-11-21T09:00:00Z" level=info msg="listening on [::]:5000"',
    `10.99.1.1 - - ${at} "GET /v2/ HTTP/1.1" 200 2 "" "containerd/1.6.20"`,
    `10.99.1.1 - - ${at} "HEAD /v2/team/app/manifests/v1 HTTP/1.1" 200 428 "" "containerd/1.6.20"`,
    `10.99.1.2:4711 - - ${at} "GET /v2/app/blobs/sha256:ab?ns=registry.lab HTTP/1.1" 206 1000 "" ""`,
    `10.99.0.1 - - ${at} "PUT /v2/app/blobs/uploads/1234?_state=x&digest=sha256%3Aab HTTP/1.1" 201 0 "" ""`,
  ].join('\n');
  expect(
    parseAccessLog(log).map(({ client, kind, reference, status }) => [client, kind, reference, status]),
  ).toEqual([
    ['10.99.1.1', 'manifests', 'v1', 200],
    ['10.99.1.2', 'blobs', 'sha256:ab', 206],
    ['10.99.0.1', 'uploads', 'uploads', 201],
  ]);
});
