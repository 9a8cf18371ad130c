import './app/base.css';
import { mount } from 'svelte';
import App from './app/App.svelte';
import { Desk } from './app/desk.svelte';
import { tauri } from './backend/tauri';

const target = document.getElementById('app');
if (target) mount(App, { target, props: { desk: new Desk(tauri) } });
