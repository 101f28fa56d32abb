// A history for tests and pictures: what agents did in three projects of an orchard over a week,
// as transcripts that `forebear import` reads. It is the same whenever it is made, but for the
// day that it ends on.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const projects = [
  { name: 'orchard-shop', files: ['src/prices/season.py', 'src/cart/totals.py', 'src/labels/print.py', 'src/stock/sync.py', 'templates/product.html'], test: 'pytest -q' },
  { name: 'orchard-press', files: ['src/press/schedule.rs', 'src/press/pressure.rs', 'src/main.rs', 'Cargo.toml'], test: 'cargo test --workspace' },
  { name: 'orchard-site', files: ['app/routes/visit.tsx', 'app/lib/weather.ts', 'app/components/Calendar.tsx', 'package.json'], test: 'npm test' },
];

const tasks = [
  ['Make the cart add the crate deposit once per crate and not once per apple', 'Charge the crate deposit once'],
  ['The press stops at 4 bar although the hose bears 6. Find out why and mend it.', 'Press stops at 4 bar'],
  ['Show on the visit page when the blossom is at its best, by last years’ temperatures', 'Blossom forecast on the visit page'],
  ['Stock goes negative when two tills sell the last crate at once. Write a test that shows it, then mend it.', 'Negative stock with two tills'],
  ['Upgrade the label printer’s driver and see whether umlauts print right', 'Umlauts on labels'],
  ['Split the press schedule by variety: Boskoop takes longer than Elstar', 'Schedule by variety'],
  ['The calendar shows Sunday tours twice after the clocks change', 'Tours twice after the clocks change'],
  ['Write down how a season is closed, as a checklist in docs/', 'Checklist for closing a season'],
  ['Make the tests of the cart faster: they take four minutes', 'Faster cart tests'],
  ['Look through all error messages and make them say what to do', 'Error messages that help'],
  ['Import the cooperative’s price list, which is a spreadsheet with merged cells', 'Import the cooperative’s prices'],
  ['Why does the nightly sync take two hours? It took ten minutes in spring.', 'Slow nightly sync'],
];

const thoughts = [
  'The numbers only differ for crates of mixed fruit, so the total must be taken before the split. Let me see where that happens.',
  'Two places could do this. The one in the sync is more likely, since it runs at night and the complaint is from the morning.',
  'Before I change it I want a test that fails for the right reason.',
  'That is not what I expected: the value is right here and wrong one call later.',
];
const words = [
  'The total is taken twice: once in `add_line`, once when the cart is shown. I’ll take it where the line is added and have the page read it.',
  'Found it. The limit comes from the old hose’s data sheet and is a constant in `pressure.rs`; the new one is read from the settings and never used.',
  'Let me run the tests to see where we stand.',
  'This works now. Next I’ll look at who else calls it, since the signature changed:\n\n```\nsrc/cart/totals.py:41   total = lines.sum()\nsrc/stock/sync.py:112   sync(lines.sum())\n```\n\nBoth want the new order of arguments.',
  'The test fails as it should: **expected 2.40, found 4.80**. Now the fix.',
];
const failures = [
  'Exit code 1\nE   AssertionError: assert Decimal(\'4.80\') == Decimal(\'2.40\')\nFAILED tests/test_cart.py::test_deposit_once - AssertionError\n1 failed, 41 passed in 7.02s',
  'Exit code 101\nerror[E0308]: mismatched types\n  --> src/press/pressure.rs:57:22\n   |\n57 |     let limit: Bar = settings.limit;\n   |                ---   ^^^^^^^^^^^^^^ expected `Bar`, found `f32`\nerror: could not compile `orchard-press` due to 1 previous error',
  'Exit code 1\nFAIL app/lib/weather.test.ts\n  ● blossom › uses the mean of five years\n    expected 104, received NaN',
  'Exit code 2\nsqlite3.OperationalError: database is locked',
];
const minorFailures = ['File does not exist.', 'String to replace not found in file.', '<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>'];
const answers = [
  'Done: the deposit is charged once per crate, the test shows it, and the old receipts are unchanged. One thing is left for you to decide: the deposit of crates that come back broken.',
  'The press runs to 6 bar again. The limit is read from the settings now, and a test fails if somebody puts a constant back.',
  'All tests pass. I left the checklist in `docs/season.md`; the dates in it are last year’s and want your eye.',
];

/** Writes the transcripts; the names of the sessions. The last `together` of them ran at the same
 * time. */
export function writeHistory(folder, end, count = 20, together = 0) {
  const random = randomOf(7);
  const sessions = [];
  for (let number = 0; number < count; number += 1) {
    const project = projects[number % projects.length];
    const start = end - Math.round((count - number - 0.98) * 7.3 * 3_600_000 + random() * 3_600_000);
    const isTogether = count - number <= together;
    const session = new Transcript(random, project, isTogether ? end - 840_000 + (count - number) * 40_000 : start, number);
    const place = join(folder, project.name);
    mkdirSync(place, { recursive: true });
    const steps = 3 + Math.floor(random() * 5);
    const [request, title] = tasks[number % tasks.length];
    session.turn(request, steps, number);
    if (number % 3 === 0) session.turn('Good. Now do the same for the second till, and tell me what differs.', 3, number);
    if (number % 4 === 1) session.turn('go on', 2, number);
    session.finish(number, title);
    writeFileSync(join(place, `${session.id}.jsonl`), session.text());
    for (const [agent, lines] of session.agents) writeFileSync(join(place, `agent-${agent}.jsonl`), lines.join('\n') + '\n');
    sessions.push({ id: session.id, title, project: project.name });
  }
  return sessions;
}

class Transcript {
  agents = new Map();

  constructor(random, project, start, number) {
    this.random = random;
    this.project = project;
    this.time = start;
    this.number = number;
    this.id = this.uuid();
    this.lines = [];
    this.parent = null;
    this.agent = null;
  }

  turn(request, steps, number) {
    this.user(request);
    this.assistant({ type: 'thinking', thinking: this.pick(thoughts), signature: '' }, 4_000);
    for (let step = 0; step < steps; step += 1) {
      if (step % 2 === 0) this.assistant({ type: 'text', text: this.pick(words) }, 3_000);
      const file = this.pick(this.project.files);
      const path = `/home/robin/${this.project.name}/${file}`;
      this.call('Grep', { pattern: this.pick(['total', 'limit', 'blossom', 'deposit']), path: 'src' }, `${file}:41\n${file}:112`, 160);
      this.call('Read', { file_path: path }, '    40\u2192def total(lines):\n    41\u2192    return sum(line.price for line in lines)', 70);
      if (this.agent === null && step === 1 && number % 2 === 0) this.spawn(2 + (number % 4));
      if (step % 3 === 1) this.call('Read', { file_path: `${path}.orig` }, this.pick(minorFailures), 40, true);
      this.call('Edit', { file_path: path, old_string: 'sum(', new_string: 'total_of(' }, 'The file has been updated.', 90);
      const fails = this.random() < 0.4;
      this.call('Bash', { command: this.project.test, description: 'Run the tests' }, fails ? failures[number % failures.length] : '148 passed in 11.92s', 4_000 + this.random() * 40_000, fails);
      if (fails) {
        this.assistant({ type: 'text', text: this.pick(words) }, 5_000);
        this.call('Edit', { file_path: path, old_string: 'total_of(', new_string: 'crate_total(' }, 'The file has been updated.', 80);
        this.call('Bash', { command: this.project.test, description: 'Run the tests again' }, '149 passed in 12.10s', 9_000);
      }
      if (step === 2) this.call('WebFetch', { url: 'https://docs.example.org/hoses/limits', prompt: 'What does the hose bear?' }, 'The hose bears 6 bar at 20 °C.', 2_400);
    }
    this.assistant({ type: 'text', text: this.pick(answers) }, 6_000);
  }

  /** Agents that work at the same time. */
  spawn(count) {
    const begun = [];
    for (let number = 0; number < count; number += 1) {
      const what = ['Find the callers', 'Read the driver’s manual', 'Check the old receipts', 'Time the sync', 'List the tests'][number % 5];
      const id = this.assistant({ type: 'tool_use', id: `toolu_${this.token()}`, name: 'Task', input: { description: what, prompt: `${what}, and report in a few words.`, subagent_type: 'general-purpose' } }, 700);
      begun.push({ ...id, agent: this.token().slice(0, 7).toLowerCase(), what, start: this.time });
    }
    let last = this.time;
    for (const one of begun) {
      const agent = new Transcript(this.random, this.project, one.start + 200, this.number);
      agent.id = this.id;
      agent.agent = one.agent;
      agent.user(`${one.what}, and report in a few words.`);
      const steps = 2 + Math.floor(this.random() * 4);
      for (let step = 0; step < steps; step += 1) {
        const file = this.pick(this.project.files);
        agent.call('Grep', { pattern: 'total', path: 'src' }, `${file}:12`, 150);
        agent.call('Read', { file_path: `/home/robin/${this.project.name}/${file}` }, '    12\u2192# …', 60);
        const fails = this.random() < 0.15;
        agent.call('Bash', { command: `${this.project.test} ${file}`, description: 'Run its tests' }, fails ? failures[(this.number + 1) % 4] : '6 passed', 2_000 + this.random() * 9_000, fails);
      }
      agent.assistant({ type: 'text', text: `${one.what}: done. Three places, listed with their lines.` }, 3_000);
      this.agents.set(one.agent, agent.lines);
      one.end = agent.time;
      last = Math.max(last, agent.time);
    }
    for (const one of begun.sort((a, b) => a.end - b.end)) {
      this.time = Math.max(this.time, one.end);
      this.result(one, [{ type: 'text', text: `${one.what}: done. Three places, listed with their lines.` }], false, { status: 'completed', agentId: one.agent, totalDurationMs: one.end - one.start });
    }
    this.time = Math.max(this.time, last) + 500;
  }

  finish(number, title) {
    if (number % 5 === 2) {
      const call = this.assistant({ type: 'tool_use', id: `toolu_${this.token()}`, name: 'Bash', input: { command: 'git push origin main', description: 'Push' } }, 2_000);
      this.time += 1_700;
      this.result(call, 'Exit code 128\nfatal: could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.', true);
    } else if (number % 7 === 4) {
      this.user('[Request interrupted by user]');
    }
    this.lines.push(JSON.stringify({ type: 'summary', summary: title, leafUuid: this.parent }));
  }

  user(text) {
    this.time += this.agent ? 40 : 1_000 + this.random() * 90_000;
    this.line({ type: 'user', message: { role: 'user', content: text } });
  }

  assistant(content, takes) {
    this.time += takes * (0.6 + this.random());
    const usage = { input_tokens: 4, output_tokens: 60 + Math.floor(this.random() * 400), cache_read_input_tokens: 18_000 + this.lines.length * 900, cache_creation_input_tokens: 700 };
    const model = this.agent ? 'claude-sonnet-4-5-20250929' : 'claude-opus-4-6';
    const uuid = this.line({ type: 'assistant', message: { model, id: `msg_${this.token()}`, type: 'message', role: 'assistant', content: [content], stop_reason: null, usage } });
    return { uuid, id: content.id };
  }

  call(name, input, result, takes, isError = false) {
    const call = this.assistant({ type: 'tool_use', id: `toolu_${this.token()}`, name, input }, 1_500);
    this.time += takes;
    this.result(call, result, isError);
  }

  result(call, content, isError, more = {}) {
    const result = { type: 'tool_result', tool_use_id: call.id, content, ...(isError ? { is_error: true } : {}) };
    this.line({ type: 'user', message: { role: 'user', content: [result] }, toolUseResult: isError ? `Error: ${content}` : { stdout: '', ...more }, sourceToolAssistantUUID: call.uuid });
  }

  line(fields) {
    const uuid = this.uuid();
    const of = { parentUuid: this.parent, isSidechain: this.agent !== null, ...(this.agent ? { agentId: this.agent } : {}), userType: 'external', cwd: `/home/robin/${this.project.name}`, sessionId: this.id, version: '2.1.40', gitBranch: 'main' };
    this.lines.push(JSON.stringify({ ...of, ...fields, uuid, timestamp: new Date(Math.round(this.time)).toISOString() }));
    this.parent = uuid;
    return uuid;
  }

  text() { return `${this.lines.join('\n')}\n`; }
  pick(of) { return of[Math.floor(this.random() * of.length)]; }
  token() { return Array.from({ length: 24 }, () => 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz23456789'[Math.floor(this.random() * 54)]).join(''); }
  uuid() {
    const digits = Array.from({ length: 32 }, () => Math.floor(this.random() * 16).toString(16));
    digits[12] = '4';
    digits[16] = '89ab'[Math.floor(this.random() * 4)];
    return [8, 4, 4, 4, 12].map((length) => digits.splice(0, length).join('')).join('-');
  }
}

/** Lines for `forebear append --json`: a session of so many events, calls and results of four
 * agents in turn, every 50th call failed. */
export function* manyEvents(session, count, start) {
  const id = (number) => `${number.toString(16).padStart(8, '0')}-0000-4000-8000-${(number * 2654435761 % 2 ** 32).toString(16).padStart(12, '0')}`;
  const event = (number, kind, labels, payload, more = {}) => JSON.stringify({
    id: id(number), ...(number ? { parent: id(number - 1) } : {}), kind, session, instance: session,
    time: new Date(start + number * 700).toISOString(), labels, payload, ...more,
  });
  yield event(0, 'user_message', { role: 'user' }, { text: 'count all apples of the last ten years' });
  for (let number = 1; number < count; number += 1) {
    const pair = Math.floor((number - 1) / 2);
    const call = { tool: ['Bash', 'Read', 'Grep', 'Edit'][pair % 4], tool_use_id: `call-${pair}` };
    const instance = pair % 40 < 32 ? {} : { instance: `helper-${pair % 4}`, scope: 'own', ...(pair === 32 + (pair % 4) && number % 2 ? { link: 'spawned' } : {}) };
    if (number % 2 && number + 1 < count) yield event(number, 'tool_use', { role: 'assistant', target: `crate ${pair}`, ...call }, { text: `looks into crate ${pair}` }, instance);
    else if (number % 2) yield event(number, 'assistant_message', { role: 'assistant' }, { text: 'that was the last crate' });
    else yield event(number, 'tool_result', { role: 'tool', ...call, ...(pair % 50 === 0 ? { is_error: 'true' } : {}) }, { text: `${pair * 3} apples in crate ${pair}` }, instance);
  }
}

function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
