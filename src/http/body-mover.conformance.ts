import { describe } from 'bun:test';
import { testBreakOff } from './conformance/break-off.ts';
import { testBrokenMoves } from './conformance/broken-moves.ts';
import { testCompleteMoves } from './conformance/complete-moves.ts';
import { testOpenFile } from './conformance/open-file.ts';
import { testPeerRequests } from './conformance/peer-requests.ts';
import { type BodyMoverUnderTest, createRig } from './conformance/rig.ts';
import { testSmallPeerRequests } from './conformance/small-peer-requests.ts';
import { testStoppedMoves } from './conformance/stopped-moves.ts';

/** Registers the tests that every BodyMover passes together with its server. `create` is called before each test. */
export function testBodyMover(name: string, create: () => BodyMoverUnderTest): void {
  describe(`${name} as a BodyMover`, () => {
    const rig = createRig(create);
    testOpenFile(rig);
    testCompleteMoves(rig);
    testBrokenMoves(rig);
    testStoppedMoves(rig);
    testBreakOff(rig);
    testPeerRequests(rig);
    testSmallPeerRequests(rig);
  });
}
