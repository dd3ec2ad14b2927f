import { registerHooks } from 'node:module';

/** Sends the program a SIGTERM at the moment at which it loads the file that the variable names. */
registerHooks({
  load: (url, context, next) => {
    const file = process.env.KEYWARD_TEST_SIGNAL_AT;
    if (file && url.endsWith(file)) process.kill(process.pid, 'SIGTERM');
    return next(url, context);
  },
});
