import { type FuzzTarget, startFuzzTarget } from '../../../test/fuzz/program.ts';

/** One Keyward for all files: they make keys of their own. */
let keyward: FuzzTarget | undefined;

export async function globalSetup(): Promise<void> {
  keyward = await startFuzzTarget({ LOG_LEVEL: 'info' });
  process.env.KEYWARD_TEST_URL = keyward.url;
  process.env.KEYWARD_TEST_ROOT_KEY = keyward.rootKey;
}

export async function globalTeardown(): Promise<void> {
  await keyward?.stop();
}
