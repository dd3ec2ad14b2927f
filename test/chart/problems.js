// Reads objects of Kubernetes as a JSON array from stdin, and prints what is wrong with each as another.
import { text } from 'node:stream/consumers';

const OF_GROUP = { 'monitoring.coreos.com': '@kubernetes-models/prometheus-operator' };

async function problemOf(object) {
  const { apiVersion, kind } = object;
  const models = OF_GROUP[apiVersion.split('/')[0]] ?? 'kubernetes-models';
  try {
    const { [kind]: Model } = await import(`${models}/${apiVersion}/${kind}`);
    new Model(object).validate();
    return null;
  } catch (error) {
    return `${kind} ${object.metadata?.name}: ${error.message}`;
  }
}

const problems = await Promise.all(JSON.parse(await text(process.stdin)).map(problemOf));
process.stdout.write(JSON.stringify(problems.filter((problem) => problem !== null)));
