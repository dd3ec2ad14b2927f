#!/usr/bin/env node
// The one entry, in JavaScript that every Node can read: one that is too old for src is refused in
// a sentence. npm and npx put the Node that `npm ci` installs first on the PATH.
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 18)) {
  await import('../src/main.ts').catch(explain);
} else {
  refuse(
    `this is Node ${process.version}, and Keyward needs 22.18 or newer; ` +
      '`npm ci` installs one (unless with --omit=optional), and `npm start` and `npx keyward` use it.',
  );
}

/** Whether a package lacks is not known before it is imported. */
function explain(error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  refuse('its packages are not installed; run `npm ci` first.');
}

function refuse(sentence) {
  process.stderr.write(`keyward: ${sentence}\n`);
  process.exitCode = 1;
}
