import { describe } from 'bun:test';
import { testAheadBodies } from './conformance/ahead-bodies.ts';
import { testBlockedMoves } from './conformance/blocked-moves.ts';
import { testBreakOff } from './conformance/break-off.ts';
import { testBrokenMoves } from './conformance/broken-moves.ts';
import { testCompleteMoves } from './conformance/complete-moves.ts';
import { testGrowingCrowd } from './conformance/growing-crowd.ts';
import { testGrowingMoves } from './conformance/growing-moves.ts';
import { testLimitedMoves } from './conformance/limited-moves.ts';
import { testManyMoves } from './conformance/many-moves.ts';
import { testOpenFile } from './conformance/open-file.ts';
import { testOpenGrowingFile } from './conformance/open-growing-file.ts';
import { testPeerRequests } from './conformance/peer-requests.ts';
import { createRig } from './conformance/rig.ts';
import type { Transport } from './transport.ts';
import { testRelayedMoves } from './conformance/relayed-moves.ts';
import { testSmallAnswers } from './conformance/small-answers.ts';
import { testSmallPeerRequests } from './conformance/small-peer-requests.ts';
import { testStoppedMoves } from './conformance/stopped-moves.ts';
import { testStreamedAnswers } from './conformance/streamed-answers.ts';

/** Enough for two of the smallest reads of a file. */
const LITTLE_FILE_BUFFER_BYTES = 128 * 1024;

/**
 * Registers the tests that every Transport passes. `create` is called before each test, for some of
 * them with the memory that the transport may have for reading files, in bytes.
 */
export function testTransport(
  name: string,
  create: (fileBufferBytes?: number) => Transport | Promise<Transport>,
): void {
  describe(`${name} as a Transport`, () => {
    const rig = createRig(() => create());
    testOpenFile(rig);
    testAheadBodies(rig);
    testOpenGrowingFile(rig);
    testCompleteMoves(rig);
    testGrowingMoves(rig);
    testRelayedMoves(rig);
    testBrokenMoves(rig);
    testStoppedMoves(rig);
    testBlockedMoves(rig);
    testLimitedMoves(rig);
    testManyMoves(rig);
    testBreakOff(rig);
    testStreamedAnswers(rig);
    testSmallAnswers(rig);
    testPeerRequests(rig);
    testSmallPeerRequests(rig);
  });
  describe(`${name} with little memory as a Transport`, () => {
    testGrowingCrowd(createRig(() => create(LITTLE_FILE_BUFFER_BYTES)));
  });
}
