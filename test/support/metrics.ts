import type { Instance } from './instance.ts';

/**
 * One metric as Prometheus reads it: `keyward_fences_total`, `keyward_bound_used{bound="proofs"}`.
 */
export async function metric(instance: Instance, name: string): Promise<number> {
  const value = (await metrics(instance)).get(name);
  if (value === undefined) throw new Error(`there is no metric ${name}`);
  return value;
}

/** Every metric of an instance by its name and labels. */
export async function metrics(instance: Instance): Promise<Map<string, number>> {
  const { status, text } = await instance.call('GET', '/metrics', { as: null });
  if (status !== 200) throw new Error(`no metrics: ${status}`);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)];
    }),
  );
}
