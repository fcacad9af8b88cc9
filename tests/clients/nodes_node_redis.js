'use strict';
// node-redis' cluster client against nodes; its arguments are the version of RESP, 2 or 3, and "checks" or "load".

const { createCluster } = require('redis');
const { Checks, setting } = require('./checks.js');

const rootNodes = setting('NODE_PORTS').split(',').map((port) => ({ url: `redis://127.0.0.1:${port}` }));
const RESP = Number(process.argv[2]);
const PIPELINE = 10000;
const NAME = `node-redis${RESP}`;

async function connect(options = {}) {
  const cluster = createCluster({ RESP, rootNodes: rootNodes.slice(0, 1), ...options });
  cluster.on('error', () => {}); // every failure also rejects the command that a step waits for
  return cluster.connect();
}

async function connecting(checks, cluster) {
  checks.equal('nodes with slots', cluster.masters.length, Number(setting('HEADS')));
  const client = await cluster.nodeClient(cluster.masters[0]);
  checks.equal('PING', await client.ping(), 'PONG');
  const info = await client.clusterInfo();
  checks.equal('cluster_state', /cluster_state:(\w+)/.exec(info)[1], 'ok');
  checks.equal('KEYSLOT', await client.clusterKeySlot('somekey'), 11058);
  const slots = (await client.clusterSlots()).reduce((sum, { from, to }) => sum + to - from + 1, 0);
  checks.equal('CLUSTER SLOTS', slots, 16384);
}

async function manySlots(checks, cluster) {
  const keys = Array.from({ length: 2000 }, (_, i) => `${NAME}:${i}`);
  const set = await Promise.all(keys.map((key) => cluster.set(key, `value of ${key}`)));
  checks.equal('SETs', set, keys.map(() => 'OK'));
  const got = await Promise.all(keys.map((key) => cluster.get(key)));
  checks.equal('GETs', got, keys.map((key) => `value of ${key}`));
  const found = new Set();
  for (const master of cluster.masters) {
    const client = await cluster.nodeClient(master);
    for await (const batch of client.scanIterator({ MATCH: `${NAME}:*`, COUNT: 500 })) {
      batch.forEach((key) => found.add(key));
    }
  }
  checks.equal('SCAN of all nodes', [...found].sort(), keys.sort());
  await checks.refused('MGET', cluster.mGet(['a', 'b']), "CROSSSLOT Keys in request don't hash to the same slot");
  const deleted = await Promise.all(keys.map((key) => cluster.del(key)));
  checks.equal('DELs', deleted, keys.map(() => 1));
}

async function pipelines(checks, cluster) {
  const key = `{${NAME}}:count`;
  const commands = cluster.multi();
  for (let i = 0; i < PIPELINE; i++) commands.incr(key);
  const numbers = Array.from({ length: PIPELINE }, (_, i) => i + 1);
  checks.equal('in one slot', await commands.execAsPipeline(), numbers);
  const together = await Promise.all(Array.from({ length: PIPELINE }, () => cluster.decr(key)));
  checks.equal('DECRs at once', together, numbers.map((number) => PIPELINE - number));
  checks.equal('DEL', await cluster.del(key), 1);
}

// A value that was acknowledged is what every member of the chain gives.
async function replicas(checks, cluster) {
  const reader = await connect({ useReplicas: true });
  for (let i = 0; i < 500; i++) {
    checks.equal('SET', await cluster.set(`${NAME}:r${i % 50}`, String(i)), 'OK');
    checks.equal('GET at a replica', await reader.get(`${NAME}:r${i % 50}`), String(i));
  }
  for (let i = 0; i < 50; i++) checks.equal('DEL', await cluster.del(`${NAME}:r${i}`), 1);
  await reader.close();
}

async function transactions(checks, cluster) {
  const done = await cluster.multi().set(`{${NAME}}:a`, '1').incr(`{${NAME}}:a`).get(`{${NAME}}:b`).exec();
  checks.equal('EXEC', done, ['OK', 2, null]);
  checks.equal('DEL', await cluster.del(`{${NAME}}:a`), 1);
}

async function locks(checks, cluster) {
  const name = `lock:${NAME} cluster`;
  const options = { expiration: { type: 'PX', value: 30000 }, condition: 'NX' };
  const send = (...words) => cluster.sendCommand(name, false, words);
  checks.equal('SET NX PX', await cluster.set(name, 'mine', options), 'OK');
  checks.equal('SET NX PX when held', await cluster.set(name, 'other', options), null);
  checks.equal('GET', await cluster.get(name), 'mine');
  checks.equal('DELIFEQ by another', await send('DELIFEQ', name, 'other'), 0);
  checks.equal('DELIFEQ', await send('DELIFEQ', name, 'mine'), 1);
  const [token] = await send('LOCK', 'ACQUIRE', name, 'me', 'TTL', '30000');
  checks.equal('TOKEN', await send('LOCK', 'TOKEN', name, 'me'), token);
  checks.equal('RELEASE', await send('LOCK', 'RELEASE', name, 'me'), 1);
}

async function load(checks, cluster) {
  const reader = await connect({ useReplicas: true });
  await checks.load({
    set: (key, value) => cluster.set(key, value),
    incr: (key) => cluster.incr(key),
    get: (key) => cluster.get(key),
    read: (key) => reader.get(key),
  });
}

new Checks(`node-redis cluster RESP${RESP}`).run(async (checks) => {
  const cluster = await connect();
  if (process.argv[3] === 'load') {
    await checks.step('load', () => load(checks, cluster));
    return;
  }
  const send = (words) => cluster.sendCommand('{t}', false, words);
  await checks.step('connect', () => connecting(checks, cluster));
  await checks.step('every command on strings', () => checks.transcript(send, RESP));
  await checks.step('keys in many slots', () => manySlots(checks, cluster));
  await checks.step('pipelines of 10000', () => pipelines(checks, cluster));
  await checks.step('reads at replicas', () => replicas(checks, cluster));
  await checks.step('transactions', () => transactions(checks, cluster));
  await checks.step('locks', () => locks(checks, cluster));
});
