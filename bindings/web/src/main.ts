import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { watchTokens } from './lib/token';

const target = document.getElementById('app');
if (!target) throw new Error('expected the element #app in index.html');
await watchTokens();
mount(App, { target });
