// The page in a browser of another maker, over the program and a store:
// PROGRAM=target/debug/forebear npm test

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { manyEvents, writeHistory } from './history.mjs';
import { World } from './world.mjs';

const program = process.env['PROGRAM'];
if (!program) throw new Error('expected the path of the program in PROGRAM, found none');
const demo = new URL('../../cli/demo', import.meta.url).pathname;

const world = new World(program);
const MANY = Number(process.env['MANY'] ?? 100_000);
const markup = '<img src=x onerror="window.ran=1"><script>window.ran=2</script><svg onload="window.ran=3">';
let page;
let sessions;

before(async () => {
  sessions = writeHistory(`${world.folder}/projects`, Date.now() - 3_600_000, 12);
  world.run('import', `${world.folder}/projects`, demo);
  sessions.slice(0, 4).forEach(({ id }) => world.run('session', 'set', id, '--wave', 'harvest'));
  const evil = [
    { id: 'evil-ask', kind: 'user_message', session: markup, instance: markup, labels: { role: 'user' }, payload: { text: markup } },
    { id: 'evil-call', parent: 'evil-ask', kind: 'tool_use', session: markup, instance: markup, labels: { role: 'assistant', tool: markup, tool_use_id: 'e', target: markup }, payload: { text: markup } },
    { id: 'evil-result', parent: 'evil-call', kind: 'tool_result', session: markup, instance: markup, labels: { role: 'tool', tool: markup, tool_use_id: 'e', is_error: 'true' }, payload: { text: markup } },
  ];
  world.runWith(evil.map((one) => JSON.stringify(one)).join('\n'), 'append', '--json', '-', '--durability', 'flush');
  const many = [...manyEvents('many', MANY, Date.now() - 86_400_000)].join('\n');
  world.runWith(many, 'append', '--json', '-', '--durability', 'buffered');
  await world.serve();
  page = await world.signedIn();
}, { timeout: 600_000 });

after(() => world.end());

/** What stands at a place of the page, as a number. */
const number = async (selector) => Number((await page.locator(selector).first().innerText()).replace(/[^0-9]/g, ''));
const go = async (path) => { await page.goto(world.origin + path); await page.waitForSelector('nav'); };
/** What a program's listing comes to, but for the line that says where to go on. */
const listed = (...args) => world.json(...args).filter((line) => 'id' in line);

test('the token is traded for a cookie that no script reads', async () => {
  const stranger = await world.open();
  await stranger.goto(`${world.origin}/sessions`);
  await stranger.waitForSelector('form input[type=password]');
  assert.equal(await stranger.locator('nav').count(), 0);
  await stranger.fill('input[type=password]', 'wrong');
  await stranger.click('form button');
  await stranger.waitForSelector('[role=alert]');
  await stranger.fill('input[type=password]', world.token);
  await stranger.click('form button');
  await stranger.waitForSelector('nav');
  assert.equal(await stranger.evaluate(() => document.cookie), '');
  assert.equal(new URL(stranger.url()).hash, '');
  assert.deepEqual(stranger.complaints, []);
  await stranger.context().close();
});

test('the policy of the page lets nothing but its own files run', async () => {
  const answer = await world.ask('/');
  const policy = answer.headers.get('content-security-policy');
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  assert.equal(answer.headers.get('cache-control'), 'no-cache');
  const html = await answer.text();
  assert.doesNotMatch(html, /<script>|<style|onload=|style="/);
  const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)[1];
  const asset = await fetch(world.origin + script);
  assert.match(asset.headers.get('cache-control'), /immutable/);
  const again = await fetch(`${world.origin}/`, { headers: { 'if-none-match': answer.headers.get('etag') } });
  assert.equal(again.status, 304);
});

test('every view opens, by its address and by keys', async () => {
  const failure = listed('events', '--errors', '--limit', '1')[0];
  const views = [
    ['/sessions', 'h1'], [`/s/${sessions[0].id}`, '.request'], [`/s/${sessions[0].id}?tab=waterfall`, 'canvas.bars'],
    [`/s/${sessions[0].id}?tab=figures`, 'table'], ['/why', 'h1'], [`/e/${failure.id}`, '.step.anchor'], ['/errors', '.group'],
    ['/search?q=deposit', '.match'], ['/live', '.counters'], ['/waves', '.lane'], ['/store', '.numbers'],
  ];
  for (const [path, selector] of views) {
    await go(path);
    await page.waitForSelector(selector);
    assert.equal(await page.locator('.failed[role=alert]').count(), 0, path);
  }
  for (const [key, path] of [['s', '/sessions'], ['w', '/why'], ['e', '/errors'], ['f', '/search'], ['l', '/live'], ['v', '/waves'], ['t', '/store']]) {
    await page.locator('body').click({ position: { x: 400, y: 3 } });
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await page.waitForFunction((path) => location.pathname === path, path);
  }
  assert.deepEqual(page.complaints, []);
});

test('sessions are those of the program', async () => {
  await go('/sessions?agents=1');
  const theirs = listed('sessions', '--all');
  await page.waitForFunction((n) => document.querySelector('[data-test=count]')?.textContent.replace(/[^0-9]/g, '') === String(n), theirs.length);
  await go('/sessions?status=cancelled&agents=1');
  const cancelled = theirs.filter((one) => one.status === 'cancelled').length;
  await page.waitForFunction((n) => document.querySelector('[data-test=count]')?.textContent.startsWith(String(n)), cancelled);
});

test('a session has the program’s events, agents and errors', async () => {
  for (const { id } of sessions.slice(0, 4)) {
    const [top, ...below] = listed('session-tree', id);
    await go(`/s/${id}?tab=figures`);
    await page.waitForSelector('[data-test=events]');
    assert.equal(await number('[data-test=events]'), top.total.events, id);
    const facts = await page.locator('.facts').innerText();
    if (below.length) assert.match(facts, new RegExp(`${below.length} agents`));
    if (top.total.errors) assert.match(facts, new RegExp(`${top.total.errors} errors?`));
    const slow = world.json('slow', id)[0];
    await page.waitForSelector('table tbody tr');
    const shown = await page.locator('table tbody tr').evaluateAll((rows) => rows.map((row) => [row.children[0].innerText, row.children[1].innerText]));
    assert.deepEqual(shown, slow.tools.map((tool) => [tool.tool, String(tool.calls)]));
  }
});

test('a conversation shows every call once, agents within what started them', async () => {
  const { id } = sessions[0];
  await go(`/s/${id}`);
  await page.waitForSelector('.request');
  const theirs = listed('events', '--session', id, '--kind', 'tool_use', '--all').length;
  const seen = { call: new Set(), agent: new Set() };
  let before = -1;
  for (;;) {
    const place = await page.evaluate(() => document.querySelector('[aria-label=Conversation]').scrollTop);
    const rows = await page.locator('[aria-label=Conversation] [data-row]').evaluateAll((rows) =>
      rows.map((row) => [row.dataset.row, row.querySelector('.call') ? 'call' : row.querySelector('.helper') ? 'agent' : '']));
    for (const [row, what] of rows) seen[what]?.add(row);
    if (place === before) break;
    before = place;
    await page.evaluate(() => { const box = document.querySelector('[aria-label=Conversation]'); box.scrollTop += box.clientHeight * 0.8; });
    await sleep(120);
  }
  assert.equal(seen.call.size, theirs);
  assert.equal(seen.agent.size, listed('session-tree', id).length - 1);
});

test('errors are those of the program', async () => {
  await go('/errors?minor=1');
  const theirs = listed('events', '--errors', '--without-versions', '--all').length;
  await page.waitForFunction((n) => Number(document.querySelector('[data-test=count]')?.textContent.split(' in ')[0].replace(/[^0-9]/g, '')) === n, theirs);
});

test('a chain has the program’s steps, and ends as it says', async () => {
  const failure = listed('events', '--errors', '--all').find((event) => event.scope === 'own' && event.session !== 'many');
  const chain = world.json('chain', failure.id);
  await go(`/e/${failure.id}`);
  await page.waitForSelector('.step.anchor');
  assert.equal(chain.at(-1).end.kind, 'root');
  assert.match(await page.locator('.sub').innerText(), new RegExp(`${chain.length} steps back to the root`));
  assert.match(await page.locator('.end').innerText(), /Nothing caused this/);
  const agents = await page.locator('.step .link').allInnerTexts();
  assert.ok(agents.some((text) => text.includes(failure.instance)), agents.join());
  // One that is too long to be shown whole shows its nearest steps.
  const deep = listed('events', '--errors', '--session', 'many', '--limit', '1')[0];
  await go(`/e/${deep.id}?all=1`);
  await page.waitForFunction(() => / [1-5],\d00 steps back/.test(document.querySelector('.sub')?.textContent ?? ''), null, { timeout: 60_000 });
  assert.ok(await page.locator('[data-row]').count() < 200);
});

test('search finds what the program finds', async () => {
  const theirs = listed('search', 'hose', '--all').length;
  await go('/search?q=hose');
  await page.waitForSelector('.match');
  for (let turn = 0; turn < 50; turn += 1) {
    const more = page.locator('.told button', { hasText: 'Go on' });
    if (await more.count()) await more.click().catch(() => {});
    const told = await page.locator('[data-test=found]').innerText();
    if (told.includes('that is all')) break;
    await sleep(100);
  }
  assert.equal(await number('[data-test=found]').then((n) => Number(String(n).slice(0, String(theirs).length))), theirs);
});

test('the store’s numbers are the program’s', async () => {
  const stats = world.json('stats')[0];
  await go('/store');
  await page.waitForSelector('[data-test=events]');
  assert.equal(await number('[data-test=events]'), stats.events + stats.versions + stats.without_id);
  assert.equal(await number('[data-test=sessions]'), stats.sessions);
});

test('waves are those of the program', async () => {
  await go('/waves');
  await page.waitForSelector('.lane');
  const wave = listed('waves')[0];
  assert.equal(await page.locator('.lane').count(), wave.sessions);
});

test('all that is shown follows from the address', async () => {
  const { id } = sessions[1];
  await go(`/s/${id}`);
  await page.waitForSelector('.request');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.details dl');
  const before = await page.locator('.item.chosen').innerText();
  const address = page.url();
  await page.reload();
  await page.waitForSelector('.details dl');
  assert.equal(await page.locator('.item.chosen').innerText(), before);
  assert.equal(page.url(), address);
  await page.keyboard.press('2');
  await page.waitForSelector('canvas.bars');
  await page.keyboard.press('+');
  await page.waitForFunction(() => new URLSearchParams(location.search).has('t'));
  const zoomed = page.url();
  await page.goBack();
  await page.goForward();
  assert.equal(page.url(), zoomed);
});

test('ids are copied', async () => {
  await go(`/s/${sessions[1].id}`);
  await page.waitForSelector('.request');
  await page.keyboard.press('j');
  await page.keyboard.press('y');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(listed('events', '--session', sessions[1].id, '--all').filter((event) => event.id === copied).length, 1);
});

test('a payload with markup runs nothing, wherever it shows', async () => {
  const session = encodeURIComponent(markup);
  for (const path of [`/s/${session}?at=evil-result&open=1`, `/s/${session}?tab=waterfall`, `/s/${session}?tab=figures`, '/e/evil-result?all=1', '/errors?q=onerror', '/search?q=onerror', '/live', '/sessions?q=onerror']) {
    await go(path);
    await page.waitForTimeout(400);
    assert.equal(await page.evaluate(() => window.ran), undefined, path);
    assert.equal(await page.locator('img[src=x], main script, svg[onload]').count(), 0, path);
  }
  await go(`/s/${session}?at=evil-ask&open=1`);
  await page.waitForSelector('.request');
  await page.waitForFunction((text) => document.querySelector('.request')?.textContent.includes(text), markup);
  assert.deepEqual(page.complaints, []);
  const payload = await world.ask('/api/events/evil-ask/payload');
  assert.match(payload.headers.get('content-type'), /^text\/plain/);
  assert.equal(payload.headers.get('x-content-type-options'), 'nosniff');
});

test('what is stored shows at once', async () => {
  const session = sessions.at(-1).id;
  await go(`/s/${session}`);
  await page.waitForSelector('.request');
  await page.waitForSelector('.state:not(.off)', { state: 'attached' });
  await page.waitForFunction(() => !document.querySelector('.bar [role=status]'));
  await page.keyboard.press('End');
  const began = performance.now();
  const event = { id: 'came-live', kind: 'assistant_message', session, instance: session, labels: { role: 'assistant' }, payload: { text: 'this came while you looked' } };
  const answer = await world.ask('/api/events', { method: 'POST', body: JSON.stringify(event), headers: { 'content-type': 'application/json' } });
  assert.ok(answer.ok, `${answer.status}`);
  await page.waitForFunction(() => document.querySelector('[aria-label=Conversation]').lastElementChild && [...document.querySelectorAll('[data-test=events]')].length);
  await page.keyboard.press('End');
  await page.waitForFunction(() => { const box = document.querySelector('[aria-label=Conversation]'); box.scrollTop = box.scrollHeight; return document.body.textContent.includes('this came while you looked'); });
  console.log(`  an event showed ${Math.round(performance.now() - began)} ms after it was sent`);
});

test('a server that was killed comes back without loss', async () => {
  await go('/live');
  await page.waitForSelector('.state:not(.off)', { state: 'attached' });
  const post = (n) => world.ask('/api/events', { method: 'POST', body: JSON.stringify({ id: `live-${n}`, kind: 'tick', session: 'ticks', payload: { text: `tick ${n}` } }), headers: { 'content-type': 'application/json' } });
  for (let n = 0; n < 3; n += 1) assert.ok((await post(n)).ok);
  await page.waitForFunction(() => document.querySelector('[data-test=seen]')?.textContent === '3');
  await world.kill();
  await page.waitForSelector('.banner[role=alert]');
  for (let n = 3; n < 10; n += 1) world.run('append', 'tick', '--id', `live-${n}`, '--session', 'ticks', '--payload', `{"text":"tick ${n}"}`);
  await world.serve();
  await page.waitForSelector('.banner[role=alert]', { state: 'detached', timeout: 30_000 });
  await page.waitForFunction(() => document.querySelector('[data-test=seen]')?.textContent === '10', null, { timeout: 15_000 });
  for (let n = 10; n < 12; n += 1) assert.ok((await post(n)).ok);
  await page.waitForFunction(() => document.querySelector('[data-test=seen]')?.textContent === '12');
  const shown = await page.locator('.event a.cut').allInnerTexts();
  const ticks = shown.filter((text) => /^tick \d+$/.test(text));
  assert.deepEqual(ticks, Array.from({ length: 12 }, (_, n) => `tick ${11 - n}`));
});

test(`a session of ${MANY.toLocaleString('en-US')} events paints soon and holds little`, async () => {
  const looker = await world.signedIn();
  await looker.goto(`${world.origin}/store`);
  await looker.waitForSelector('nav');
  const devtools = await looker.context().newCDPSession(looker);
  const began = performance.now();
  await looker.goto(`${world.origin}/s/many`);
  await looker.waitForSelector('.request');
  await looker.waitForSelector('.call');
  const painted = performance.now() - began;
  await looker.waitForFunction(() => !document.querySelector('.bar [role=status]'), null, { timeout: 120_000 });
  const whole = performance.now() - began;
  assert.equal(Number((await looker.locator('[data-test=events]').innerText()).replace(/[^0-9]/g, '')), MANY);
  const rows = async () => looker.locator('[data-row]').count();
  assert.ok(await rows() < 200, `${await rows()} rows`);
  await looker.keyboard.press('End');
  await looker.waitForFunction(() => document.body.textContent.includes('that was the last crate') || document.body.textContent.includes('apples in crate'));
  assert.ok(await rows() < 200, `${await rows()} rows`);
  await looker.keyboard.press('2');
  await looker.waitForSelector('canvas.bars');
  const drawn = await looker.evaluate(async () => {
    const times = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const began = performance.now();
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key: turn % 2 ? '-' : '+', bubbles: true }));
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[5];
  });
  await devtools.send('HeapProfiler.collectGarbage');
  const { usedSize } = await devtools.send('Runtime.getHeapUsage');
  const heap = usedSize / 2 ** 20;
  console.log(`  painted after ${Math.round(painted)} ms, whole after ${Math.round(whole)} ms; heap ${heap.toFixed(0)} MiB; a frame of the waterfall ${drawn.toFixed(0)} ms`);
  assert.ok(heap < 150, `${heap} MiB of heap`);
  // Times are held by who measures a release build on a quiet machine.
  const most = Number(process.env['PAINT_MS'] ?? Infinity);
  assert.ok(painted < most, `painted after ${painted} ms`);
  assert.deepEqual(looker.complaints, []);
  await looker.context().close();
});
