'use strict';
// node-redis against a router; its argument is the version of RESP, 2 or 3.

const { readFileSync } = require('node:fs');
const { createClient, RESP_TYPES, WatchError } = require('redis');
const { Checks, setting } = require('./checks.js');

const port = Number(setting('ROUTER_PORT'));
const RESP = Number(process.argv[2]);
const PIPELINE = 10000;

async function connect(options = {}) {
  const client = createClient({
    RESP,
    ...options,
    socket: { host: '127.0.0.1', port, reconnectStrategy: () => 20 },
  });
  client.on('error', () => {}); // every failure also rejects the command that a step waits for
  return client.connect();
}

async function connecting(checks) {
  const client = await connect({ database: 3, name: 'checks' });
  checks.equal('PING', await client.ping(), 'PONG');
  checks.equal('CLIENT GETNAME', await client.clientGetName(), 'checks');
  const hello = await client.sendCommand(['HELLO']);
  const fields = RESP === 3 ? hello : Object.fromEntries(hello.map((word, i) => [word, hello[i + 1]]));
  checks.equal('HELLO', [fields.server, fields.proto, fields.mode], ['redis', RESP, 'standalone']);
  const me = await client.clientInfo();
  checks.equal('CLIENT INFO', [me.db, me.libName, me.resp], [3, 'node-redis', RESP]);
  await client.set('where', 'db3');
  await client.select(0);
  checks.equal('GET in database 0', await client.get('where'), null);
  await client.select(3);
  checks.equal('DEL in database 3', await client.del('where'), 1);
  await client.close();
}

async function everydayCommands(checks, client) {
  const options = { expiration: { type: 'EX', value: 100 }, condition: 'NX' };
  checks.equal('SET EX NX', await client.set('day', 'v', options), 'OK');
  checks.between('TTL', await client.ttl('day'), 90, 100);
  const asBuffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  checks.equal('SET of bytes', await client.set(bytes, bytes), 'OK');
  checks.equal('GET of bytes', await asBuffers.get(bytes), bytes);
  const large = Buffer.alloc(8 << 20, 'large value ');
  checks.equal('SET of 8 MiB', await client.set('large', large), 'OK');
  checks.equal('GET of 8 MiB', large.equals(await asBuffers.get('large')), true);
  checks.equal('LCS LEN', await client.lcsLen('day', 'day'), 1);
  checks.equal('INCRBYFLOAT', await client.incrByFloat('float', 1.5), '1.5');
  checks.equal('GETEX', await client.getEx('float', { type: 'PX', value: 90000 }), '1.5');
  checks.between('PTTL', await client.pTTL('float'), 60000, 90000);
  checks.equal('DEL', await client.del(['large', 'day', 'float', bytes]), 4);
}

async function manySlots(checks, client) {
  const entries = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`slots:${i}`, `value ${i}`]));
  const keys = Object.keys(entries);
  checks.equal('MSET', await client.mSet(entries), 'OK');
  checks.equal('MGET', await client.mGet([...keys, 'slots:none']), [...Object.values(entries), null]);
  checks.equal('EXISTS', await client.exists(keys), 2000);
  const found = [];
  for await (const batch of client.scanIterator({ MATCH: 'slots:*', COUNT: 500 })) found.push(...batch);
  checks.equal('SCAN', found.sort(), keys.sort());
  checks.equal('KEYS', (await client.keys('slots:*')).length, 2000);
  checks.equal('DBSIZE', await client.dbSize(), 2000);
  checks.equal('UNLINK', await client.unlink(keys), 2000);
  checks.equal('RANDOMKEY', await client.randomKey(), null);
  await checks.refused('RENAME', client.rename('a', 'b'), "CROSSSLOT Keys in request don't hash to the same slot");
}

async function pipelines(checks, client) {
  const commands = client.multi();
  const expected = [];
  for (let i = 0; i < PIPELINE; i++) {
    if (i % 4 === 0) commands.set(`p:${i}`, `value ${i}`), expected.push('OK');
    if (i % 4 === 1) commands.get(`p:${i - 1}`), expected.push(`value ${i - 1}`);
    if (i % 4 === 2) commands.incr('p:count'), expected.push((i + 2) / 4);
    if (i % 4 === 3) commands.strLen(`p:${i - 3}`), expected.push(`value ${i - 3}`.length);
  }
  checks.equal('replies', await commands.execAsPipeline(), expected);
  const together = await Promise.all(Array.from({ length: PIPELINE }, () => client.incr('p:together')));
  checks.equal('INCRs at once', together, Array.from({ length: PIPELINE }, (_, i) => i + 1));
  checks.equal('FLUSHALL', await client.flushAll(), 'OK');
}

async function transactions(checks, client) {
  const done = await client.multi().set('{tx}:a', '1').incr('{tx}:a').get('{tx}:b').exec();
  checks.equal('EXEC', done, ['OK', 2, null]);

  const watcher = await connect();
  await watcher.watch('{tx}:a');
  await client.set('{tx}:a', 'changed');
  let refusal = null;
  await watcher.multi().set('{tx}:b', 'no').exec().catch((error) => { refusal = error; });
  checks.equal('EXEC after a change', refusal instanceof WatchError, true);
  checks.equal('nothing was set', await client.get('{tx}:b'), null);
  await watcher.watch('{tx}:a');
  checks.equal('EXEC without a change', await watcher.multi().set('{tx}:b', 'yes').exec(), ['OK']);
  await watcher.close();

  checks.equal('MULTI', await client.sendCommand(['MULTI']), 'OK');
  checks.equal('queued', await client.sendCommand(['SET', '{tx}:b', 'no']), 'QUEUED');
  checks.equal('DISCARD', await client.sendCommand(['DISCARD']), 'OK');
  checks.equal('after DISCARD', await client.get('{tx}:b'), 'yes');
  checks.equal('DEL', await client.del(['{tx}:a', '{tx}:b']), 2);
}

async function locks(checks, client) {
  const options = { expiration: { type: 'PX', value: 30000 }, condition: 'NX' };
  const send = (...words) => client.sendCommand(words);
  checks.equal('SET NX PX', await client.set('lock:set', 'mine', options), 'OK');
  checks.equal('SET NX PX when held', await client.set('lock:set', 'other', options), null);
  checks.between('PTTL', await client.pTTL('lock:set'), 20000, 30000);
  checks.equal('DELIFEQ by another', await send('DELIFEQ', 'lock:set', 'other'), 0);
  checks.equal('DELIFEQ', await send('DELIFEQ', 'lock:set', 'mine'), 1);
  const [token, validity] = await send('LOCK', 'ACQUIRE', 'lock:native', 'me', 'TTL', '30000');
  checks.between('validity', validity, 20000, 30000);
  checks.equal('ACQUIRE when held', await send('LOCK', 'ACQUIRE', 'lock:native', 'you', 'TTL', '30000'), null);
  checks.equal('TOKEN', await send('LOCK', 'TOKEN', 'lock:native', 'me'), token);
  checks.equal('RENEW keeps the token', (await send('LOCK', 'RENEW', 'lock:native', 'me', 'TTL', '30000'))[0], token);
  checks.equal('RELEASE by another', await send('LOCK', 'RELEASE', 'lock:native', 'you'), 0);
  checks.equal('RELEASE', await send('LOCK', 'RELEASE', 'lock:native', 'me'), 1);
  const [next] = await send('LOCK', 'ACQUIRE', 'lock:native', 'you', 'TTL', '30000');
  checks.equal('the next token is greater', next > token, true);
  checks.equal('RELEASE', await send('LOCK', 'RELEASE', 'lock:native', 'you'), 1);
}

async function killedConnection(checks) {
  const client = await connect({ database: 2 });
  const other = await connect();
  await client.set('kept', 'value');
  const id = await client.clientId();
  checks.equal('CLIENT KILL', await other.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]), 1);
  checks.equal('GET in the same database', await checks.eventually('GET', () => client.get('kept')), 'value');
  checks.equal('another connection', (await client.clientId()) > id, true);
  checks.equal('DEL', await client.del('kept'), 1);
  await Promise.all([client.close(), other.close()]);
}

async function killedRouter(checks) {
  const client = await connect({ database: 2 });
  await client.set('kept', 'value');
  process.kill(Number(readFileSync(setting('ROUTER_PID_FILE'), 'utf8')), 'SIGKILL');
  checks.equal('GET in the same database', await checks.eventually('GET', () => client.get('kept')), 'value');
  checks.equal('writes', await client.append('kept', ' on'), 8);
  checks.equal('DEL', await client.del('kept'), 1);
  await client.close();
}

new Checks(`node-redis RESP${RESP}`).run(async (checks) => {
  const client = await connect();
  await checks.step('connect', () => connecting(checks));
  await checks.step('every command on strings', () => checks.transcript((words) => client.sendCommand(words), RESP));
  await checks.step('everyday commands', () => everydayCommands(checks, client));
  await checks.step('keys in many slots', () => manySlots(checks, client));
  await checks.step('pipelines of 10000', () => pipelines(checks, client));
  await checks.step('transactions', () => transactions(checks, client));
  await checks.step('locks', () => locks(checks, client));
  await checks.step('connection killed', () => killedConnection(checks));
  await checks.step('router killed', () => killedRouter(checks));
});
