import { SCENARIOS } from '../catalogue.ts';
import type { Target } from '../scenario.ts';
import { Attack } from './attack.ts';

/** The process of one attack: it starts with the message that says what to do, and ends with one. */
const stop = new AbortController();

process.on('message', (message: { target: Target } | 'stop') => {
  if (message === 'stop') return stop.abort();
  void run(message.target);
});
process.once('disconnect', () => process.exit());
process.send?.('ready');

async function run(target: Target): Promise<void> {
  const scenario = SCENARIOS.find(({ name }) => name === target.scenario);
  const attack = new Attack(target, stop.signal);
  void attack.underWay.then(() => process.send?.('under way'));
  const failure = await Promise.resolve(scenario?.attack(attack))
    .then(() => null)
    .catch((error: unknown) => (stop.signal.aborted ? null : String(error)));
  process.send?.({ tally: [...attack.tally], failure }, () => process.disconnect());
}
