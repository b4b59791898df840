import { endpointFlag, booleanFlag, intervalFlag } from './flag-kinds.ts';

/** For every command whose text has to fit a line. */
export const wideFlag = booleanFlag('write all of each name, in lines as long as that needs', false);

/** The flags of the commands that ask a running spegel once. */
export const askFlags = {
  addr: endpointFlag('metrics address of the running spegel', '127.0.0.1:9090'),
  json: booleanFlag('print JSON', false),
  wide: wideFlag,
};

/** The flags of `spegel peers` and of the commands below it. */
export const peersFlags = {
  ...askFlags,
  watch: intervalFlag('ask again after each interval, 2s if none is given, until Ctrl-C', {
    usual: '2s',
    leastMs: 200,
  }),
};
