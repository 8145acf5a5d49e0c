import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import pg from 'pg'
import { POSTGRES_REPLAY_TABLE, postgresReplayCache } from '../../src/verifier/postgres-replay-cache.ts'
import { createTestDatabase } from '../support/database.ts'
import { NOW, request, verifier } from './given-call.ts'

const database = await createTestDatabase()
const pools = [1, 2].map(() => new pg.Pool({ ...database.connection, max: 8 }))
// A pool has ended before its connections have: the database goes, and takes the last of them with it.
for (const pool of pools) pool.on('error', () => {}).on('connect', client => client.on('error', () => {}))
const [one = new pg.Pool(), two = new pg.Pool()] = pools
after(async () => {
  await Promise.all(pools.map(pool => pool.end()))
  await database.drop().catch(() => {})
})
await one.query(POSTGRES_REPLAY_TABLE)

const state = { seconds: NOW }
const now = () => new Date(state.seconds * 1000)
const nodes = [postgresReplayCache(one, { now }), postgresReplayCache(two, { now })]
const proof = (jti: string, jkt = 'k') => ({ jkt, jti, iat: state.seconds, expires_at: state.seconds + 60 })

async function kept(): Promise<number> {
  const { rows } = await one.query('select count(*)::int as n from remit_used_proof')
  return rows[0].n
}

test('[attack 39] of 50 claims of one proof over two pools exactly one is the first (protocol.md section 8)', async () => {
  for (let round = 0; round < 5; round += 1) {
    const used = proof(`once-${round}`)
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => nodes[index % 2]?.claim(used)))
    assert.equal(answers.filter(first => first === true).length, 1)
    assert.equal(answers.filter(first => first === false).length, 49)
  }
})

test('[attack 38] one proof at two nodes of an API is taken by one of them (RFC 9449 section 11.1)', async () => {
  const call = await request()
  const apis = nodes.map(replayCache => verifier({ replayCache, now }))
  const outcomes = await Promise.allSettled(apis.map(api => api.verify(call)))
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('[attack 41] a jti is another one under another key', async () => {
  const claims = [proof('same', 'k1'), proof('same', 'k2'), proof('SAME', 'k1')]
  for (const used of claims) assert.equal(await nodes[0]?.claim(used), true)
  for (const used of claims) assert.equal(await nodes[1]?.claim(used), false)
})

test('rows go by themselves, a minute after the last second in which their proofs could be taken', async () => {
  const last = proof('last')
  assert.equal(await nodes[0]?.claim(last), true)
  const before = await kept()
  state.seconds += 60 + 60
  assert.equal(await nodes[1]?.claim(last), false)
  assert.equal(await kept(), before)
  state.seconds += 1
  const calls = before + 2
  for (let index = 0; index < calls; index += 1) await nodes[0]?.claim(proof(`new-${index}`))
  assert.equal(await kept(), calls)
})

test('[attack 40] a clock that is set back after rows went brings no proof to life again', async () => {
  const victim = proof('victim')
  assert.equal(await nodes[0]?.claim(victim), true)
  state.seconds += 200
  for (let left = await kept(), n = 0; n < left; n += 1) await nodes[0]?.claim(proof(`after-${n}`))
  const { rows } = await one.query("select 1 from remit_used_proof where jti = 'victim'")
  assert.equal(rows.length, 0)
  state.seconds -= 200
  assert.equal(await nodes[0]?.claim(victim), false)
  state.seconds += 200
})

test('a clock that jumped ahead for a moment refuses no fresh proof once it is right again', async () => {
  state.seconds += 86_400
  assert.equal(await nodes[1]?.claim(proof('ahead')), true)
  state.seconds -= 86_400 - 61
  assert.equal(await nodes[1]?.claim(proof('right again')), true)
})

test('the table is made once, and again without harm; a database that is gone is an outage', async () => {
  await one.query(POSTGRES_REPLAY_TABLE)
  assert.ok((await kept()) > 0)
  const gone = new pg.Pool({ ...database.connection, max: 1 })
  await gone.end()
  await assert.rejects(async () => await postgresReplayCache(gone, { now }).claim(proof('lost')))
})
