import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyCommands, type Real } from '../support/key-commands.ts';
import { KeyModel } from '../support/key-model.ts';
import { putWorkspace, usePair } from '../support/pair.ts';

/** `npm run test:model` runs thousands. */
const RUNS = Number(process.env.KEYWARD_MODEL_RUNS ?? 40);
const COMMANDS = 60;
const MS_PER_RUN = 2000;
const sequences = fc.commands(keyCommands, { maxCommands: COMMANDS, size: 'max' });

describe('two instances and a simple model of keys', () => {
  const pair = usePair();
  let runs = 0;

  /** Every string of every key, current, retiring and ended, on both instances. */
  async function expectAllVerdicts(model: KeyModel): Promise<void> {
    const expected = model.keys.flatMap((key) =>
      key.strings.map((string) => [string.key, model.verdict(key, string, false)] as const),
    );
    for (const instance of [pair.first, pair.second]) {
      for (const [key, code] of expected) {
        const { body } = await instance.call('POST', '/v1/verify', { body: { key } });
        expect(body.code).toBe(code);
      }
    }
  }

  it(
    'two instances agree with a simple model on every verdict and refusal, in every order of changes',
    async () => {
      await fc.assert(
        fc.asyncProperty(sequences, async (commands) => {
          const workspaceId = `run-${++runs}`;
          await putWorkspace(pair.first, workspaceId);
          const model = new KeyModel();
          const real: Real = { pair, workspaceId };
          await fc.asyncModelRun(() => ({ model, real }), commands);
          await expectAllVerdicts(model);
        }),
        { numRuns: RUNS },
      );
    },
    30_000 + RUNS * MS_PER_RUN,
  );
});
