'use strict';
// ioredis against a router.

const { readFileSync } = require('node:fs');
const Redis = require('ioredis');
const { Checks, setting } = require('./checks.js');

const port = Number(setting('ROUTER_PORT'));
const PIPELINE = 10000;

function connect(options = {}) {
  const redis = new Redis({ port, host: '127.0.0.1', ...options });
  redis.on('error', () => {}); // every failure also rejects the command that a step waits for
  return redis;
}

async function connecting(checks) {
  const redis = connect({ db: 3, connectionName: 'checks', connectTimeout: 5000 });
  checks.equal('PING', await redis.ping(), 'PONG');
  checks.equal('CLIENT GETNAME', await redis.client('GETNAME'), 'checks');
  const info = await redis.info('server');
  checks.equal('redis_mode', /redis_mode:(\w+)/.exec(info)[1], 'standalone');
  const me = await redis.client('INFO');
  checks.equal('lib-name', /lib-name=(\S*)/.exec(me)[1], 'ioredis');
  checks.equal('db', /db=(\d+)/.exec(me)[1], '3');
  await redis.set('where', 'db3');
  await redis.select(0);
  checks.equal('GET in database 0', await redis.get('where'), null);
  await redis.select(3);
  checks.equal('DEL in database 3', await redis.del('where'), 1);
  checks.equal('QUIT', await redis.quit(), 'OK');
}

async function everydayCommands(checks, redis) {
  checks.equal('SET EX NX', await redis.set('day', 'v', 'EX', 100, 'NX'), 'OK');
  checks.between('TTL', await redis.ttl('day'), 90, 100);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  checks.equal('SET of bytes', await redis.set(bytes, bytes), 'OK');
  checks.equal('GET of bytes', await redis.getBuffer(bytes), bytes);
  const large = Buffer.alloc(8 << 20, 'large value ');
  checks.equal('SET of 8 MiB', await redis.set('large', large), 'OK');
  checks.equal('GET of 8 MiB', large.equals(await redis.getBuffer('large')), true);
  checks.equal('DEL', await redis.del('large', 'day', bytes), 3);
}

async function manySlots(checks, redis) {
  const entries = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`slots:${i}`, `value ${i}`]));
  const keys = Object.keys(entries);
  checks.equal('MSET', await redis.mset(entries), 'OK');
  checks.equal('MGET', await redis.mget([...keys, 'slots:none']), [...Object.values(entries), null]);
  checks.equal('EXISTS', await redis.exists(keys), 2000);
  const found = [];
  for await (const batch of redis.scanStream({ match: 'slots:*', count: 500 })) found.push(...batch);
  checks.equal('SCAN', found.sort(), keys.sort());
  checks.equal('KEYS', (await redis.keys('slots:*')).length, 2000);
  checks.equal('DBSIZE', await redis.dbsize(), 2000);
  checks.equal('UNLINK', await redis.unlink(keys), 2000);
  checks.equal('RANDOMKEY', await redis.randomkey(), null);
  await checks.refused('RENAME', redis.rename('a', 'b'), "CROSSSLOT Keys in request don't hash to the same slot");
}

async function pipelines(checks, redis) {
  const pipeline = redis.pipeline();
  const expected = [];
  for (let i = 0; i < PIPELINE; i++) {
    if (i % 4 === 0) pipeline.set(`p:${i}`, `value ${i}`), expected.push('OK');
    if (i % 4 === 1) pipeline.get(`p:${i - 1}`), expected.push(`value ${i - 1}`);
    if (i % 4 === 2) pipeline.incr('p:count'), expected.push((i + 2) / 4);
    if (i % 4 === 3) pipeline.incr(`p:${i - 3}`), expected.push('ERR value is not an integer or out of range');
  }
  const replies = await pipeline.exec();
  checks.equal('replies', replies.map(([error, reply]) => (error ? error.message : reply)), expected);
  const together = await Promise.all(Array.from({ length: PIPELINE }, () => redis.incr('p:together')));
  checks.equal('INCRs at once', together, Array.from({ length: PIPELINE }, (_, i) => i + 1));
  checks.equal('FLUSHALL', await redis.flushall(), 'OK');
}

async function transactions(checks, redis) {
  const done = await redis.multi().set('{tx}:a', '1').incr('{tx}:a').get('{tx}:b').exec();
  checks.equal('EXEC', done, [[null, 'OK'], [null, 2], [null, null]]);
  const failed = await redis.multi().set('{tx}:a', 'word').incr('{tx}:a').set('{tx}:b', 'kept').exec();
  checks.equal('an error inside', failed.map(([error, reply]) => (error ? error.message : reply)),
    ['OK', 'ERR value is not an integer or out of range', 'OK']);
  checks.equal('what came after the error', await redis.get('{tx}:b'), 'kept');

  const other = connect();
  await redis.watch('{tx}:a');
  await other.set('{tx}:a', 'changed');
  checks.equal('EXEC after a change', await redis.multi().set('{tx}:b', 'no').exec(), null);
  await redis.watch('{tx}:a');
  checks.equal('EXEC without a change', await redis.multi().set('{tx}:b', 'yes').exec(), [[null, 'OK']]);
  await other.quit();

  checks.equal('MULTI', await redis.multi({ pipeline: false }), 'OK');
  checks.equal('queued', await redis.set('{tx}:b', 'no'), 'QUEUED');
  checks.equal('DISCARD', await redis.discard(), 'OK');
  checks.equal('after DISCARD', await redis.get('{tx}:b'), 'yes');
  checks.equal('DEL', await redis.del('{tx}:a', '{tx}:b'), 2);
}

async function locks(checks, redis) {
  checks.equal('SET NX PX', await redis.set('lock:set', 'mine', 'PX', 30000, 'NX'), 'OK');
  checks.equal('SET NX PX when held', await redis.set('lock:set', 'other', 'PX', 30000, 'NX'), null);
  checks.between('PTTL', await redis.pttl('lock:set'), 20000, 30000);
  checks.equal('DELIFEQ by another', await redis.call('DELIFEQ', 'lock:set', 'other'), 0);
  checks.equal('DELIFEQ', await redis.call('DELIFEQ', 'lock:set', 'mine'), 1);
  const [token, validity] = await redis.call('LOCK', 'ACQUIRE', 'lock:native', 'me', 'TTL', 30000);
  checks.between('validity', validity, 20000, 30000);
  checks.equal('ACQUIRE when held', await redis.call('LOCK', 'ACQUIRE', 'lock:native', 'you', 'TTL', 30000), null);
  checks.equal('TOKEN', await redis.call('LOCK', 'TOKEN', 'lock:native', 'me'), token);
  const [renewed] = await redis.call('LOCK', 'RENEW', 'lock:native', 'me', 'TTL', 30000);
  checks.equal('RENEW keeps the token', renewed, token);
  checks.equal('RELEASE by another', await redis.call('LOCK', 'RELEASE', 'lock:native', 'you'), 0);
  checks.equal('RELEASE', await redis.call('LOCK', 'RELEASE', 'lock:native', 'me'), 1);
  const [next] = await redis.call('LOCK', 'ACQUIRE', 'lock:native', 'you', 'TTL', 30000);
  checks.equal('the next token is greater', next > token, true);
  checks.equal('RELEASE', await redis.call('LOCK', 'RELEASE', 'lock:native', 'you'), 1);
}

async function killedConnection(checks) {
  const redis = connect({ db: 2 });
  const other = connect();
  await redis.set('kept', 'value');
  const id = await redis.client('ID');
  checks.equal('CLIENT KILL', await other.client('KILL', 'ID', id), 1);
  checks.equal('GET in the same database', await checks.eventually('GET', () => redis.get('kept')), 'value');
  checks.equal('another connection', (await redis.client('ID')) > id, true);
  checks.equal('DEL', await redis.del('kept'), 1);
  await Promise.all([redis.quit(), other.quit()]);
}

async function killedRouter(checks) {
  const redis = connect({ db: 2 });
  await redis.set('kept', 'value');
  process.kill(Number(readFileSync(setting('ROUTER_PID_FILE'), 'utf8')), 'SIGKILL');
  checks.equal('GET in the same database', await checks.eventually('GET', () => redis.get('kept')), 'value');
  checks.equal('writes', await redis.append('kept', ' on'), 8);
  checks.equal('DEL', await redis.del('kept'), 1);
  await redis.quit();
}

new Checks('ioredis').run(async (checks) => {
  const redis = connect();
  await checks.step('connect', () => connecting(checks));
  await checks.step('every command on strings', () => checks.transcript((words) => redis.call(...words)));
  await checks.step('everyday commands', () => everydayCommands(checks, redis));
  await checks.step('keys in many slots', () => manySlots(checks, redis));
  await checks.step('pipelines of 10000', () => pipelines(checks, redis));
  await checks.step('transactions', () => transactions(checks, redis));
  await checks.step('locks', () => locks(checks, redis));
  await checks.step('connection killed', () => killedConnection(checks));
  await checks.step('router killed', () => killedRouter(checks));
});
