// Pictures of each view, over a history that is made for it: PROGRAM=… npm run pictures [FOLDER]
// Into docs/page/ go those of the documentation; into a FOLDER each view at three widths, dark
// and light, to be looked at.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeHistory } from './history.mjs';
import { World } from './world.mjs';

const program = process.env['PROGRAM'];
if (!program) throw new Error('expected the path of the program in PROGRAM, found none');
const folder = process.argv[2];
const world = new World(program);

try {
  const now = Date.now();
  const sessions = writeHistory(`${world.folder}/projects`, now - 60_000, 24, 7);
  world.run('import', `${world.folder}/projects`);
  sessions.slice(-7).forEach(({ id }) => world.run('session', 'set', id, '--wave', 'harvest-42'));
  sessions.slice(5, 9).forEach(({ id }) => world.run('session', 'set', id, '--wave', 'harvest-41'));
  await world.serve();
  const failure = world.json('events', '--errors', '--limit', '200').find((event) => event.scope === 'own' && event.labels?.minor !== 'true');
  const withAgents = world.json('sessions', '--limit', '200').filter((one) => one.agents > 2).sort((a, b) => b.events - a.events)[0];
  const call = world.json('events', '--session', withAgents.id, '--kind', 'tool_use', '--limit', '12').at(-2);
  const views = {
    sessions: ['/sessions', '.session'],
    session: [`/s/${withAgents.id}`, '.helper'],
    details: [`/s/${withAgents.id}?at=${call.id}&open=1`, '.details dl'],
    waterfall: [`/s/${withAgents.id}?tab=waterfall&at=${call.id}`, 'canvas.bars'],
    figures: [`/s/${withAgents.id}?tab=figures`, 'table'],
    why: [`/e/${failure.id}`, '.step.anchor'],
    errors: ['/errors', '.group'],
    search: ['/search?q=hose', '.match'],
    live: ['/live', '.event'],
    waves: ['/waves?wave=harvest-42', '.lane'],
    store: ['/store', '.numbers'],
  };
  const sizes = folder
    ? [[390, 844], [1280, 800], [1920, 1080]].flatMap(([width, height]) => ['dark', 'light'].map((scheme) => ({ width, height, scheme })))
    : [{ width: 1280, height: 800, scheme: 'dark' }];
  const into = folder ?? new URL('../../../docs/page', import.meta.url).pathname;
  mkdirSync(into, { recursive: true });
  for (const { width, height, scheme } of sizes) {
    const page = await world.signedIn({ viewport: { width, height }, colorScheme: scheme, hasTouch: width < 500, isMobile: width < 500, deviceScaleFactor: folder ? 1 : 1.25 });
    const devtools = await page.context().newCDPSession(page);
    for (const [name, [path, selector]] of Object.entries(views)) {
      if (process.env['ONLY'] && !process.env['ONLY'].split(',').includes(name)) continue;
      await page.goto(world.origin + path);
      await page.waitForSelector(selector).catch((error) => console.error(`${name}: ${error.message.split('\n')[0]}`));
      if (name === 'live') await stir(page);
      await page.waitForTimeout(900);
      const { data } = await devtools.send('Page.captureScreenshot', { format: folder ? 'png' : 'webp', ...(folder ? {} : { quality: 78 }) });
      const file = folder ? `${name}-${width}-${scheme}.png` : `${name}.webp`;
      writeFileSync(join(into, file), Buffer.from(data, 'base64'));
    }
    for (const complaint of page.complaints) console.error(complaint);
    await page.context().close();
  }
} finally {
  await world.end();
}

/** Has something happen: a page of what happens now shows nothing otherwise. */
async function stir(page) {
  await page.waitForSelector('.state:not(.off)', { state: 'attached' });
  const steps = [
    ['user_message', { role: 'user' }, { text: 'Weigh the crates at the second till too' }],
    ['assistant_message', { role: 'assistant' }, { text: 'I’ll look at how the first till does it.' }],
    ['tool_use', { role: 'assistant', tool: 'Grep', tool_use_id: 'l1', target: 'weigh(' }, { text: 'weigh(' }],
    ['tool_result', { role: 'tool', tool: 'Grep', tool_use_id: 'l1' }, { text: 'src/tills/first.py:31' }],
    ['tool_use', { role: 'assistant', tool: 'Bash', tool_use_id: 'l2', target: 'pytest -q tests/test_tills.py' }, { text: 'pytest -q tests/test_tills.py' }],
    ['tool_result', { role: 'tool', tool: 'Bash', tool_use_id: 'l2', is_error: 'true' }, { text: 'Exit code 1: 1 failed, 11 passed in 3.1s' }],
    ['assistant_message', { role: 'assistant' }, { text: 'The scale answers in grams. I’ll convert once, where it is read.' }],
    ['tool_use', { role: 'assistant', tool: 'Edit', tool_use_id: 'l3', target: 'src/tills/second.py' }, { text: 'src/tills/second.py' }],
  ];
  const stamp = Date.now().toString(36);
  for (const [at, [kind, labels, payload]] of steps.entries()) {
    const event = { id: `${stamp}-${at}`, ...(at ? { parent: `${stamp}-${at - 1}` } : {}), kind, labels, payload, session: 'second-till', instance: 'second-till' };
    await world.ask('/api/events', { method: 'POST', body: JSON.stringify(event), headers: { 'content-type': 'application/json' } });
    await page.waitForTimeout(120);
  }
  await page.waitForTimeout(1_500);
}
