// What tests and pictures need: a store with a history, the server of a program over it, and a
// browser.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

export class World {
  constructor(program) {
    this.program = program;
    this.folder = mkdtempSync(join(tmpdir(), 'forebear-page-'));
    this.store = join(this.folder, 'events.forebear');
    this.port = 0;
    this.server = null;
  }

  /** Runs a command of the program over the store; what it prints. */
  run(...args) { return this.runWith(undefined, ...args); }

  runWith(input, ...args) {
    const ran = spawnSync(this.program, ['--store', this.store, ...args], { input, encoding: 'utf8', maxBuffer: 1 << 30 });
    if (ran.status !== 0) throw new Error(`expected ${args.join(' ')} to work, it ended with ${ran.status}: ${ran.stderr}`);
    return ran.stdout;
  }

  /** The objects that a command prints. */
  json(...args) {
    return this.run(...args, '--json').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  write(name, text) {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Starts the server; on the port that it had, if it had one. */
  async serve() {
    const server = spawn(this.program, ['--store', this.store, '--json', 'serve', '--listen', `127.0.0.1:${this.port}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.server = server;
    const ready = await new Promise((resolve, reject) => {
      server.once('exit', (code) => reject(new Error(`expected a server, it ended with ${code}`)));
      createInterface({ input: server.stdout }).once('line', (line) => resolve(JSON.parse(line)));
    });
    server.removeAllListeners('exit');
    this.url = new URL(ready.url);
    this.port = Number(this.url.port);
    this.token = ready.token ?? this.url.hash.slice('#t='.length);
  }

  async kill(signal = 'SIGKILL') {
    const server = this.server;
    if (!server || server.exitCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  }

  get origin() { return this.url.origin; }

  async ask(path, options = {}) {
    return fetch(this.origin + path, { ...options, headers: { authorization: `Bearer ${this.token}`, ...options.headers } });
  }

  async end() {
    await this.browser?.close();
    await this.kill('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  async open(options = {}) {
    this.browser ??= await chromium.launch({ executablePath: browserPath(), args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark', ...options });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = await context.newPage();
    page.complaints = [];
    page.on('pageerror', (error) => page.complaints.push(`error: ${error.message}`));
    page.on('console', (message) => {
      // That the server is away is what one of the tests is about.
      if (message.type() === 'error' && !/ERR_CONNECTION|ERR_INCOMPLETE|status of 40[14]/.test(message.text())) page.complaints.push(message.text());
    });
    return page;
  }

  /** A page that has the server's cookie. */
  async signedIn(options = {}) {
    const page = await this.open(options);
    await page.goto(this.url.href);
    await page.waitForSelector('nav');
    return page;
  }
}

function browserPath() {
  const known = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = known.find((path) => path && existsSync(path));
  if (!found) throw new Error('expected Chromium, found none: install it, or say where it is in CHROMIUM');
  return found;
}
