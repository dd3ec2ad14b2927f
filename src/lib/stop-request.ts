const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const;
/** Ctrl-C reaches this process from the terminal, and within moments again from npm. */
const ECHO_MS = 500;
const PARENT_CHECK_MS = 200;

/**
 * Resolves when the process is asked to stop: by a signal, or by the end of npm's shell, which does
 * not pass signals on. A second signal ends the process at once. From this call on, no signal is
 * lost, and none ends the process before it has stopped.
 */
export function stopRequest(isUnderNpm: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let firstAt: number | undefined;
  const request = () => {
    firstAt ??= performance.now();
    resolve();
  };
  const onSignal = () => {
    const isSecond =
      firstAt !== undefined && performance.now() - firstAt > (isUnderNpm ? ECHO_MS : 0);
    if (isSecond) process.exit(1);
    request();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  if (isUnderNpm) onParentEnd(request);
  return promise;
}

/** npm's shell, if it runs this process, does not pass on the signal that ends it. */
export function onParentEnd(act: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    act();
  }, PARENT_CHECK_MS);
  timer.unref();
}
