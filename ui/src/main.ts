import './app/base.css';
import { mount } from 'svelte';
import App from './app/App.svelte';
import { Desk } from './app/desk.svelte';
import { tauri } from './backend/tauri';

const target = document.getElementById('app');
if (target) {
  const desk = new Desk(tauri);
  void desk.prepare(navigator.language).then(() => mount(App, { target, props: { desk } }));
}
