'use strict';
// ioredis' Cluster against nodes; its argument is "checks" or "load".

const Redis = require('ioredis');
const { Checks, setting } = require('./checks.js');

const nodes = setting('NODE_PORTS').split(',').map((port) => ({ host: '127.0.0.1', port: Number(port) }));
const PIPELINE = 10000;

function connect(options = {}) {
  const cluster = new Redis.Cluster(nodes.slice(0, 1), options);
  cluster.on('error', () => {}); // every failure also rejects the command that a step waits for
  return cluster;
}

async function connecting(checks, cluster) {
  checks.equal('PING', await cluster.ping(), 'PONG');
  checks.equal('nodes with slots', cluster.nodes('master').length, Number(setting('HEADS')));
  const info = await cluster.cluster('INFO');
  checks.equal('cluster_state', /cluster_state:(\w+)/.exec(info)[1], 'ok');
  checks.equal('cluster_slots_assigned', /cluster_slots_assigned:(\d+)/.exec(info)[1], '16384');
  checks.equal('KEYSLOT', await cluster.cluster('KEYSLOT', 'somekey'), 11058);
}

async function manySlots(checks, cluster) {
  const keys = Array.from({ length: 2000 }, (_, i) => `ioredis:${i}`);
  const set = await Promise.all(keys.map((key) => cluster.set(key, `value of ${key}`)));
  checks.equal('SETs', set, keys.map(() => 'OK'));
  const got = await Promise.all(keys.map((key) => cluster.get(key)));
  checks.equal('GETs', got, keys.map((key) => `value of ${key}`));
  const found = new Set();
  for (const node of cluster.nodes('master')) {
    for await (const batch of node.scanStream({ match: 'ioredis:*', count: 500 })) {
      batch.forEach((key) => found.add(key));
    }
  }
  checks.equal('SCAN of all nodes', [...found].sort(), keys.sort());
  await checks.refused('MGET', cluster.mget('a', 'b'), "CROSSSLOT Keys in request don't hash to the same slot");
  const deleted = await Promise.all(keys.map((key) => cluster.del(key)));
  checks.equal('DELs', deleted, keys.map(() => 1));
}

async function pipelines(checks, cluster) {
  const pipeline = cluster.pipeline();
  const expected = [];
  for (let i = 0; i < PIPELINE; i += 2) {
    pipeline.set(`{ioredis}:${i}`, `value ${i}`).get(`{ioredis}:${i}`);
    expected.push([null, 'OK'], [null, `value ${i}`]);
  }
  checks.equal('in one slot', await pipeline.exec(), expected);
  const together = await Promise.all(Array.from({ length: PIPELINE }, () => cluster.incr('{ioredis}:count')));
  checks.equal('INCRs at once', together, Array.from({ length: PIPELINE }, (_, i) => i + 1));
  const keys = Array.from({ length: PIPELINE / 2 }, (_, i) => `{ioredis}:${2 * i}`);
  checks.equal('DEL', await cluster.del('{ioredis}:count', ...keys), PIPELINE / 2 + 1);
}

// A value that was acknowledged is what every member of the chain gives.
async function replicas(checks, cluster) {
  const reader = connect({ scaleReads: 'slave' });
  for (let i = 0; i < 500; i++) {
    checks.equal('SET', await cluster.set(`ioredis:r${i % 50}`, String(i)), 'OK');
    checks.equal('GET at a replica', await reader.get(`ioredis:r${i % 50}`), String(i));
  }
  for (let i = 0; i < 50; i++) checks.equal('DEL', await cluster.del(`ioredis:r${i}`), 1);
  await reader.quit();
}

async function transactions(checks, cluster) {
  const done = await cluster.multi().set('{ioredis}:a', '1').incr('{ioredis}:a').get('{ioredis}:b').exec();
  checks.equal('EXEC', done, [[null, 'OK'], [null, 2], [null, null]]);
  checks.equal('DEL', await cluster.del('{ioredis}:a'), 1);
}

async function locks(checks, cluster) {
  const name = 'lock:ioredis cluster';
  checks.equal('SET NX PX', await cluster.set(name, 'mine', 'PX', 30000, 'NX'), 'OK');
  checks.equal('SET NX PX when held', await cluster.set(name, 'other', 'PX', 30000, 'NX'), null);
  checks.equal('GET', await cluster.get(name), 'mine');
  checks.equal('DELIFEQ by another', await cluster.call('DELIFEQ', name, 'other'), 0);
  checks.equal('DELIFEQ', await cluster.call('DELIFEQ', name, 'mine'), 1);
  const [token] = await cluster.call('LOCK', 'ACQUIRE', name, 'me', 'TTL', 30000);
  checks.equal('TOKEN', await cluster.call('LOCK', 'TOKEN', name, 'me'), token);
  checks.equal('RELEASE', await cluster.call('LOCK', 'RELEASE', name, 'me'), 1);
}

async function load(checks, cluster) {
  const reader = connect({ scaleReads: 'slave' });
  await checks.load({
    set: (key, value) => cluster.set(key, value),
    incr: (key) => cluster.incr(key),
    get: (key) => cluster.get(key),
    read: (key) => reader.get(key),
  });
}

new Checks('ioredis Cluster').run(async (checks) => {
  const cluster = connect();
  if (process.argv[2] === 'load') {
    await checks.step('load', () => load(checks, cluster));
    return;
  }
  await checks.step('connect', () => connecting(checks, cluster));
  await checks.step('every command on strings', () => checks.transcript((words) => cluster.call(...words)));
  await checks.step('keys in many slots', () => manySlots(checks, cluster));
  await checks.step('pipelines of 10000', () => pipelines(checks, cluster));
  await checks.step('reads at replicas', () => replicas(checks, cluster));
  await checks.step('transactions', () => transactions(checks, cluster));
  await checks.step('locks', () => locks(checks, cluster));
});
