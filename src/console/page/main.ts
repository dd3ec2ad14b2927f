import { html } from 'htm/preact';
import { render } from 'preact';
import { App } from './app.ts';
import { startSession } from './session.ts';

const root = document.getElementById('app');
if (!root) throw new Error('index.html has a place for the app');
startSession().then(() => render(html`<${App} />`, root));
