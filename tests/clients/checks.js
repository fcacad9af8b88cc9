'use strict';
// What the Node programs share: steps that print their progress, checks that say what was expected, the transcript.
// A failed check ends the program with status 1 after "FAILED client | step | what: expected ..., got ...".

const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { inspect, isDeepStrictEqual } = require('node:util');

const TRANSCRIPT = path.join(__dirname, 'transcript.json');
const RETRY_MS = 10;
const LOAD_KEYS = 200;

class CheckFailed extends Error {}

// Objects of replies have no prototype in some libraries; Errors and Buffers stay what they are.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === 'object' && !Buffer.isBuffer(value) && !(value instanceof Error)) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
  }
  return value;
}

class Checks {
  constructor(client) {
    this.client = client;
    this.stepName = 'start';
  }

  async step(name, body) {
    this.stepName = name;
    const begun = process.hrtime.bigint();
    await body();
    const ms = Number((process.hrtime.bigint() - begun) / 1000000n);
    console.log(`ok ${this.client} | ${name} (${ms} ms)`);
  }

  fail(what, expected, got) {
    const text = (value) => (typeof value === 'string' ? value : inspect(value, { depth: 6, maxStringLength: 200 }));
    throw new CheckFailed(`${what}: expected ${text(expected)}, got ${text(got)}`);
  }

  equal(what, got, expected) {
    if (!isDeepStrictEqual(plain(got), plain(expected))) this.fail(what, inspect(expected), inspect(got));
  }

  between(what, got, least, most) {
    if (!(got >= least && got <= most)) this.fail(what, `${least} to ${most}`, got);
  }

  // The promise must be refused with an error whose text begins so.
  async refused(what, promise, text) {
    let got;
    try {
      got = await promise;
    } catch (error) {
      if (String(error.message).startsWith(text)) return;
      got = error;
    }
    this.fail(what, `an error '${text}...'`, got);
  }

  // Tries until attempt() is fulfilled: for what fails while a connection is made again.
  async eventually(what, attempt, seconds = 20) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (error instanceof CheckFailed) throw error;
        if (Date.now() > deadline) this.fail(what, `success within ${seconds} s`, error);
        await pause(RETRY_MS);
      }
    }
  }

  // Plays transcript.json; send(words) gives the promise of a reply as the library read it.
  async transcript(send, resp = 2) {
    for (const entry of JSON.parse(readFileSync(TRANSCRIPT, 'utf8'))) {
      const what = entry.send.join(' ');
      if ('error' in entry) {
        await this.refused(what, send(entry.send), entry.error);
      } else if ('between' in entry) {
        this.between(what, await send(entry.send), ...entry.between);
      } else {
        this.equal(what, await send(entry.send), resp === 3 && 'reply3' in entry ? entry.reply3 : entry.reply);
      }
    }
  }

  // Sets keys all over the slots to the number of the round, counts in others, and reads everything back, until a
  // line arrives on stdin. Nothing may fail, and no reply may be older than what was acknowledged. read(key) may ask
  // any copy.
  async load({ set, incr, get, read }) {
    let told = false;
    process.stdin.once('data', () => { told = true; });
    console.log(`loading ${this.client}`);
    let round = 0;
    do {
      round += 1;
      const value = `round ${round}`;
      await Promise.all(Array.from({ length: LOAD_KEYS }, async (_, i) => {
        const key = `${this.client}:${i}`;
        this.equal(`SET of ${key}`, await set(key, value), 'OK');
        this.equal(`GET of ${key}`, await get(key), value);
        this.equal(`GET of ${key} from any copy`, await read(key), value);
        this.equal(`INCR of ${key}:count`, await incr(`${key}:count`), round);
      }));
    } while (!told);
    process.stdin.unref();
    for (let i = 0; i < LOAD_KEYS; i++) {
      this.equal('the last value', await get(`${this.client}:${i}`), `round ${round}`);
      this.equal('the last count', await get(`${this.client}:${i}:count`), String(round));
    }
    console.log(`ok ${this.client} | load of ${round} rounds`);
  }

  async run(body) {
    try {
      await body(this);
      console.log(`done ${this.client}`);
      process.exit(0);
    } catch (error) {
      const detail = error instanceof CheckFailed ? error.message : error.stack;
      console.log(`FAILED ${this.client} | ${this.stepName} | ${detail}`);
      process.exit(1);
    }
  }
}

// The value of a variable of the environment that the driver sets.
function setting(name) {
  assert(process.env[name], `${name} is not set; tests/clients/*_test.py start this program`);
  return process.env[name];
}

module.exports = { Checks, setting, RETRY_MS, pause };
