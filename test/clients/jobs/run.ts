import { type Connect, doMainJob } from './main-job';

/** `node out/jobs/run.js GENERATOR URL`; the management key is in the environment, not in the list of processes. */
const [, , generator = '', url = ''] = process.argv;
const { MANAGEMENT_KEY = '' } = process.env;

import(`./${generator}.js`)
  .then(({ connect }: { connect: Connect }) =>
    doMainJob(connect(url, MANAGEMENT_KEY), `made by ${generator}`),
  )
  .catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
